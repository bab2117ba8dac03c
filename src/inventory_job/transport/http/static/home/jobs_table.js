// The table of jobs: its columns, its order, and its keyboard navigation.

import { changed, jobLink } from "./address.js";
import { cell, chip, link, make, when } from "./dom.js";
import { duration, whole } from "./format.js";
import { isStale } from "./filters.js";
import { taskBar } from "./tasks.js";

/** The fields that the table needs. */
export const FIELDS = [
  "job_id",
  "status",
  "plugin_id",
  "collector_id",
  "workspace_id",
  "created_at",
  "updated_at",
  "finished_at",
  "total_tasks",
  "remained_tasks",
  "success_tasks",
  "failure_tasks",
];

// `desc`: the first click on the heading sorts in descending order.
const COLUMNS = [
  { key: "status", title: "Status", kind: "status", content: (job) => chip(job.status) },
  { key: "job_id", title: "Job", kind: "id job", content: name },
  { key: "plugin_id", title: "Plugin", only: "wide", kind: "id", content: filtering("plugin") },
  {
    key: "collector_id",
    title: "Collector",
    only: "wide",
    kind: "id",
    content: filtering("collector"),
  },
  {
    key: "workspace_id",
    title: "Workspace",
    only: "wide",
    kind: "id",
    content: filtering("workspace"),
  },
  {
    key: "created_at",
    title: "Created",
    desc: true,
    kind: "time",
    content: (job, { now }) => when(job.created_at, now),
  },
  { key: "finished_at", title: "Finished", desc: true, only: "wide", kind: "time", content: end },
  { key: "total_tasks", title: "Tasks", desc: true, only: "roomy", content: taskBar },
  {
    key: "failure_tasks",
    title: "Failed",
    desc: true,
    numeric: true,
    only: "wide",
    content: (job) => failed(job.failure_tasks ?? 0),
  },
];

/** The table of `jobs`, as in the response of `list`, for a state, at the moment `now`. */
export function jobsTable(jobs, state, now) {
  const head = COLUMNS.map((column) => heading(column, state));
  const rows = jobs.map((job) => {
    const cells = COLUMNS.map((column) => {
      const isName = column.key === "job_id";
      const attributes = cell(column, isName ? "row" : null);
      return make(isName ? "th" : "td", attributes, column.content(job, { state, now }));
    });
    return make("tr", {}, ...cells);
  });
  const body = make("tbody", {}, ...rows);
  body.addEventListener("click", open);
  body.addEventListener("keydown", move);
  return make(
    "table",
    { class: "jobs" },
    make("caption", { class: "hidden" }, "Jobs"),
    make("thead", {}, make("tr", {}, ...head)),
    body,
  );
}

function heading(column, state) {
  const by = state.sort.replace(/^-/, "") === column.key;
  const descending = state.sort.startsWith("-");
  const next = (by ? !descending : column.desc) ? `-${column.key}` : column.key;
  const mark = make("span", { class: "mark", "aria-hidden": "true" }, descending ? "↓" : "↑");
  const title = link(changed(state, { sort: next }), column.title);
  if (by) title.append(mark);
  const order = by && { "aria-sort": descending ? "descending" : "ascending" };
  return make("th", { ...cell(column, "col"), ...order }, title);
}

function name(job, { state }) {
  if (!job.job_id) return "–";
  return make(
    "div",
    { class: "named" },
    link(jobLink(state, job.job_id), job.job_id, { class: "open", title: job.job_id }),
    make("span", { class: "aside narrow" }, job.plugin_id ?? ""),
  );
}

/** The content of a column whose values are links that filter the list by them. */
function filtering(filter) {
  return (job, { state }) => {
    const value = job[`${filter}_id`] ?? "";
    const href = changed(state, { [filter]: value });
    const title = value ? `Only ${value}` : `Only jobs without a ${filter}`;
    return link(href, value || "–", { class: "quiet", title });
  };
}

function end(job, { now }) {
  const taken = (new Date(job.finished_at || "") - new Date(job.created_at || "")) / 1000;
  if (isStale(job, now)) {
    return make("span", { class: "flag", title: "Running, not updated for an hour" }, "stale");
  }
  const parts = [when(job.finished_at, now)];
  if (taken >= 0) parts.push(make("span", { class: "aside" }, duration(taken)));
  return make("span", { class: "ended" }, ...parts);
}

const failed = (tasks) =>
  make("data", { value: tasks, class: tasks > 0 ? "bad" : "nil" }, whole(tasks));

/** A click beside the links of a row opens its job, unless text is selected. */
function open({ target, currentTarget }) {
  const row = target.closest("tr");
  if (target.closest("a") || !currentTarget.contains(row) || String(getSelection())) return;
  row.querySelector("a.open")?.click();
}

/** Arrow keys move the focus from row to row, Home and End to the first and the last. */
function move(event) {
  const links = [...event.currentTarget.querySelectorAll("a.open")];
  const at = links.indexOf(event.target.closest("tr")?.querySelector("a.open"));
  const last = links.length - 1;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  links[Math.max(0, Math.min(last, to))].focus();
}
