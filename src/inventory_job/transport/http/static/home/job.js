// The view of one job.

import { jobsLink } from "./address.js";
import { copyButton } from "./copy.js";
import { DeleteButton } from "./deleting.js";
import { chip, count, link, make, refill } from "./dom.js";
import { age, duration, moment, utc } from "./format.js";
import { isStale } from "./filters.js";
import { around, drawAround } from "./neighbours.js";
import { parts, tasksOf } from "./tasks.js";

const FIELDS = [
  ["collector_id", "Collector", "collector"],
  ["plugin_id", "Plugin", "plugin"],
  ["workspace_id", "Workspace", "workspace"],
  ["domain_id", "Domain"],
  ["resource_group", "Resource group"],
  ["request_secret_id", "Requested secret"],
  ["request_workspace_id", "Requested workspace"],
];
const TIMES = [
  ["created_at", "Created"],
  ["updated_at", "Updated"],
  ["finished_at", "Finished"],
];
const OUTCOMES = [
  ["success", "Succeeded", "success"],
  ["failure", "Failed", "failure"],
  ["other", "Done otherwise", "canceled"],
  ["remained", "Remaining", "left"],
];
const RUNS = { collector: "Runs of this collector", plugin: "Runs of this plugin" };

const view = document.getElementById("job");
const [head, body] = [".head", ".body"].map((part) => view.querySelector(part));
const deleting = new DeleteButton();
let drawn = null;

/** Gets the job of `state`, then its neighbours, and draws them. Throws as JobService. */
export async function show({ state, service, now, signal }) {
  if (drawn !== state.job) clear();
  const job = await service.send("get", { job_id: state.job }, signal);
  deleting.about(job.job_id, service, state);
  draw(job, state, now);
  drawn = state.job;
  const names = Object.keys(RUNS);
  const outcomes = await Promise.allSettled(
    names.map((name) => around(service, `${name}_id`, job, signal)),
  );
  if (signal.aborted) return [];
  return outcomes.flatMap(({ value, reason: error }, i) => {
    drawAround(body.querySelector(`#${names[i]}-runs .runs`), value, job, state, now);
    return error ? [{ error, panel: RUNS[names[i]] }] : [];
  });
}

/** Clears the view. */
export function clear() {
  drawn = null;
  head.replaceChildren();
  body.replaceChildren();
}

function draw(job, state, now) {
  const stale = make("span", { class: "flag" }, "not updated for an hour");
  const flags = isStale(job, now) ? [stale] : [];
  refill(
    head,
    make("h1", {}, job.job_id),
    make("span", { class: "state" }, chip(job.status), ...flags),
    make(
      "span",
      { class: "tools" },
      copyButton("Copy id", () => job.job_id),
      copyButton("Copy link", () => location.href),
      copyButton("Copy JSON", () => JSON.stringify(job, null, 2)),
      deleting.element,
    ),
  );
  const before = Object.keys(RUNS).map((name) => body.querySelector(`#${name}-runs .runs`));
  refill(body, times(job, now), tasks(job), fields(job, state), ...runs(job, state));
  // The neighbours shown before stay until the new ones have arrived.
  Object.keys(RUNS).forEach((name, i) => {
    if (before[i]) body.querySelector(`#${name}-runs .runs`).replaceWith(before[i]);
  });
}

function card(id, title, ...children) {
  const heading = make("h2", { id: `${id}-title` }, title);
  const attributes = { id, class: "card", "aria-labelledby": `${id}-title` };
  return make("section", attributes, heading, ...children);
}

function times(job, now) {
  const rows = TIMES.map(([field, title]) => {
    const date = new Date(job[field] || "");
    const known = !Number.isNaN(date.getTime());
    const cells = known ? [moment(date), utc(date), age(date, now)] : [job[field] || "–", "", ""];
    const [first, ...others] = cells.map((text) => make("td", {}, text));
    return make("tr", {}, make("th", { scope: "row" }, title), first, ...others);
  });
  const heads = ["", "Local", "UTC", "Ago"].map((title) =>
    title ? make("th", { scope: "col" }, title) : make("td"),
  );
  const table = make(
    "table",
    { class: "times" },
    make("caption", { class: "hidden" }, "Times of the job"),
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...rows),
  );
  const scroll = { class: "across", tabindex: "0", role: "region", "aria-label": "Times" };
  const figure = make("p", { class: "figure" }, taken(job, now));
  return card("times", "Time", figure, make("div", scroll, table));
}

function taken(job, now) {
  const end = job.finished_at ? new Date(job.finished_at) : now;
  const seconds = (end - new Date(job.created_at || "")) / 1000;
  if (!(seconds >= 0)) return "–";
  if (job.finished_at) return duration(seconds);
  return job.status === "IN_PROGRESS" ? `running for ${duration(seconds)}` : "no end is known";
}

function tasks(job) {
  const numbers = tasksOf(job);
  const items = OUTCOMES.filter(([name]) => name !== "other" || numbers.other).map(
    ([name, title, kind]) =>
      make("li", {}, make("span", { class: `dot ${kind}` }), `${title} `, count(numbers[name])),
  );
  const done = `${numbers.total - numbers.remained} of ${numbers.total} done`;
  return card(
    "tasks",
    "Tasks",
    make("p", { class: "figure" }, done),
    parts(job),
    make("ul", { class: "legend" }, ...items),
  );
}

function fields(job, state) {
  const items = FIELDS.flatMap(([field, title, filter]) => {
    const value = job[field] ?? "";
    if (!value) return [make("dt", {}, title), make("dd", {}, "–")];
    const shown = filter
      ? link(jobsLink(state, { [filter]: value }), value, { title: `All jobs of ${value}` })
      : value;
    const copy = copyButton("Copy", () => value, `Copy ${title.toLowerCase()}`);
    return [make("dt", {}, title), make("dd", {}, shown, copy)];
  });
  return card("fields", "Fields", make("dl", {}, ...items));
}

function runs(job, state) {
  return Object.entries(RUNS).map(([name, title]) => {
    const value = job[`${name}_id`] ?? "";
    const all = link(jobsLink(state, { [name]: value }), "All of them", { class: "all" });
    const loading = make("p", { class: "empty" }, "Loading…");
    return card(`${name}-runs`, title, all, make("div", { class: "runs" }, loading));
  });
}
