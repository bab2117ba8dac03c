// Draws the answers into the page.

import { durationChart, historyChart } from "./charts.js";
import { ago, bar, count, make, seconds, table } from "./dom.js";
import { clock, counted, percent, utc, whole } from "./format.js";
import { STATUSES } from "./questions.js";

const charts = new Map();

/**
 * Puts `children` and a note into the panel `id`; a chart that was there is destroyed, and a table
 * that was opened stays so, as it was scrolled.
 */
function fill(id, note, ...children) {
  charts.get(id)?.destroy();
  charts.delete(id);
  const panel = document.getElementById(id);
  const before = panel.querySelector("details");
  const [focused, top] = [panel.querySelector("summary:focus"), before?.lastChild.scrollTop];
  panel.querySelector(".note").textContent = note;
  panel.querySelector(".body").replaceChildren(...children);
  const after = panel.querySelector("details");
  if (!after || !before) return;
  after.open = before.open;
  after.lastChild.scrollTop = top;
  if (focused) after.firstChild.focus();
}

const empty = (text) => make("p", { class: "empty" }, text);

/** A panel whose call failed; what went wrong is said above. */
export function drawMissing(id) {
  fill(id, "", empty("Not available."));
}

/** The figures at the top; those whose call failed are null. */
export function drawSummary(history, running, span) {
  const tiles = [];
  if (history) {
    const { SUCCESS, FAILURE, CANCELED } = history.totals;
    const finished = SUCCESS + FAILURE + CANCELED;
    const jobs = Object.values(history.totals).reduce((sum, jobs) => sum + jobs, 0);
    tiles.push(tile("total", "Jobs", count(jobs), `in the last ${span.label}`));
    tiles.push(
      finished
        ? tile(
            "success",
            "Success rate",
            make("data", { value: SUCCESS / finished }, percent(SUCCESS / finished)),
            `of ${whole(finished)} finished`,
          )
        : tile("success", "Success rate", "–", "none finished"),
    );
    tiles.push(tile("failures", "Failures", count(FAILURE), `in the last ${span.label}`));
  }
  if (running) tiles.push(tile("running-now", "Running", count(running.total), "now, of any age"));
  document.getElementById("summary").replaceChildren(...tiles);
}

function tile(id, title, value, note) {
  return make(
    "div",
    { id, class: "tile" },
    make("h2", {}, title),
    make("p", { class: "figure" }, value),
    make("p", { class: "note" }, note),
  );
}

/** Jobs by time and status: chart, legend with totals, table. */
export function drawHistory(history, span) {
  const shown = STATUSES.filter(({ id }) => id !== "OTHER" || history.totals.OTHER);
  if (shown.every(({ id }) => !history.totals[id])) {
    fill("history", "", empty(`No jobs were created in the last ${span.label}.`));
    return;
  }
  const note = history.unit === "day" ? "by day, in UTC" : "by hour, in your time zone";
  const canvas = make("canvas", {
    role: "img",
    "aria-label": `Jobs by ${history.unit} and status, as in the table below`,
  });
  const rows = history.rows.map(({ interval, jobs }) => [
    make(
      "time",
      { datetime: interval.start.toISOString(), title: utc(interval.start) },
      interval.name,
    ),
    ...shown.map(({ id }) => count(jobs[id])),
  ]);
  const columns = [
    { title: history.unit === "day" ? "Day" : "Hour" },
    ...shown.map(({ label }) => ({ title: label, numeric: true })),
  ];
  fill(
    "history",
    history.left ? `${note}; ${whole(history.left)} groups too many are left out` : note,
    legend(shown, history.totals),
    make("div", { class: "chart" }, canvas),
    details("Jobs by time and status", columns, rows),
  );
  charts.set("history", historyChart(canvas, history));
}

function legend(statuses, totals) {
  const items = statuses.map(({ id, label }) =>
    make(
      "li",
      { "data-status": id },
      make("span", { class: `dot ${kindOf(id)}` }),
      `${label} `,
      count(totals[id]),
    ),
  );
  return make("ul", { class: "legend" }, ...items.reverse());
}

const kindOf = (id) => id.toLowerCase().replace("_", "-");

function details(title, columns, rows) {
  // The keyboard scrolls what it can reach.
  const scroll = { class: "scroll", tabindex: "0", role: "region", "aria-label": title };
  return make(
    "details",
    {},
    make("summary", {}, "Show as a table"),
    make("div", scroll, table(title, columns, rows)),
  );
}

/** Failures by plugin or by collector, which `title` says; the latter with their plugins. */
export function drawFailures(id, { rows, more }, title, span) {
  if (!rows.length) {
    fill(id, "", empty(`No failures in the last ${span.label}.`));
    return;
  }
  const most = rows[0].failures;
  const body = rows.map(({ name, plugins, jobs, failures }) => [
    make(
      "div",
      { class: "named" },
      make("span", { class: "name" }, name ?? "none"),
      ...(id === "collectors"
        ? [make("span", { class: "aside" }, plugins.toSorted().join(", "))]
        : []),
      bar(failures / most, "failure"),
    ),
    count(failures),
    count(jobs),
    make("data", { value: failures / jobs }, percent(failures / jobs)),
  ]);
  const columns = [
    { title },
    { title: "Failures", numeric: true },
    { title: "Jobs", numeric: true, only: "wide" },
    { title: "Rate", numeric: true },
  ];
  fill(
    id,
    more ? `the ${rows.length} with most` : "",
    table(`Failures by ${title.toLowerCase()}`, columns, body),
  );
}

/** The running jobs and how far they are. */
export function drawRunning({ jobs, total }, now) {
  if (!jobs.length) {
    fill("running", "", empty("No job is running."));
    return;
  }
  const rows = jobs.map((job) => [
    make(
      "div",
      { class: "named" },
      make("span", { class: "name id" }, job.job_id ?? ""),
      make("span", { class: "aside" }, job.plugin_id ?? ""),
    ),
    ago(job.created_at ?? "", now),
    progress(job),
    count(job.failure_tasks ?? 0),
  ]);
  const columns = [
    { title: "Job" },
    { title: "Started" },
    { title: "Tasks done" },
    { title: "Failed", numeric: true, only: "wide" },
  ];
  const note =
    total > jobs.length ? `the ${jobs.length} newest of ${whole(total)}` : counted(total, "job");
  fill("running", note, table("Running jobs", columns, rows));
}

function progress(job) {
  const tasks = job.total_tasks ?? 0;
  // Races of collectors leave fewer than none, or more than all.
  const done = Math.min(tasks, Math.max(0, tasks - (job.remained_tasks ?? 0)));
  return make(
    "div",
    { class: "progress" },
    make("progress", {
      max: Math.max(tasks, 1),
      value: done,
      "aria-label": `${done} of ${tasks} tasks done`,
    }),
    make("span", {}, `${whole(done)}/${whole(tasks)}`),
  );
}

/** Percentiles of durations: the overall ones, a chart by plugin, and a table. */
export function drawDurations({ finished, all, rows, plugins }, span) {
  if (!all.jobs) {
    fill("durations", "", empty(`No job of the last ${span.label} has finished.`));
    return;
  }
  const named = [
    { name: "All plugins", ...all },
    ...rows.map((row) => ({ name: row.plugin_id || "none", ...row })),
  ];
  const canvas = make("canvas", {
    role: "img",
    "aria-label": "Duration percentiles by plugin, as in the table below",
  });
  const box = make("div", { class: "chart" }, canvas);
  box.style.height = `${named.length * 38 + 36}px`;
  const body = named.map((row) => [
    row.name,
    count(row.jobs),
    seconds(row.p50),
    seconds(row.p90),
    seconds(row.p99),
  ]);
  const columns = ["Plugin", "Jobs", "p50", "p90", "p99"].map((title, i) => ({
    title,
    numeric: i > 0,
  }));
  const of =
    all.jobs < finished
      ? `the newest ${whole(all.jobs)} of ${whole(finished)} finished jobs`
      : counted(all.jobs, "finished job");
  const which = plugins > rows.length ? `; the ${rows.length} slowest plugins` : "";
  const legend = make(
    "ul",
    { class: "legend" },
    ...["p50", "p90", "p99"].map((id) =>
      make("li", {}, make("span", { class: `dot ${id}` }), `${id} `, seconds(all[id])),
    ),
  );
  fill(
    "durations",
    `of ${of}${which}`,
    legend,
    box,
    details("Duration percentiles by plugin", columns, body),
  );
  charts.set("durations", durationChart(canvas, named));
}

/** Says when the answers were given; null if none were. */
export function drawUpdated(now) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.getElementById("updated").textContent = now ? `Updated at ${clock(now)} (${zone})` : "";
}
