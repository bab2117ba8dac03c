// Percentiles of durations: the overall ones, a chart by plugin, and a table.

import { jobsLink } from "./address.js";
import { durationChart } from "./charts.js";
import { link, make, seconds } from "./dom.js";
import { counted, whole } from "./format.js";
import { details, fill, fillEmpty, keep, legend, linked } from "./panels.js";

const ROW = 38;
const AXIS = 36;
const COLUMNS = ["Plugin", "Jobs", "p50", "p90", "p99"];

/** Draws `questions.durations`. */
export function drawDurations({ finished, all, rows, plugins }, { state, within, span }) {
  if (!all.jobs) {
    fillEmpty("durations", `No job of the last ${span.label} has finished.`);
    return;
  }
  const ended = { ...within, finished: true };
  const everything = jobsLink(state, ended);
  const named = [
    { name: "All plugins", href: everything, ...all },
    ...rows.map((row) => ({
      name: row.plugin_id || "none",
      href: jobsLink(state, { ...ended, plugin: row.plugin_id }),
      ...row,
    })),
  ];
  const canvas = make("canvas", {
    role: "img",
    "aria-label": "Duration percentiles by plugin, as in the table below",
  });
  const chart = make("div", { class: "chart" }, canvas);
  chart.style.height = `${named.length * ROW + AXIS}px`;
  const body = named.map((row) => [
    link(row.href, row.name),
    linked(row.href, row.jobs),
    ...[row.p50, row.p90, row.p99].map((value) => link(row.href, seconds(value))),
  ]);
  const columns = COLUMNS.map((title, i) => ({ title, numeric: i > 0 }));
  const { lane, draw } = durationChart(canvas, named, (row) => {
    location.hash = row.href;
  });
  fill(
    "durations",
    noteOf(finished, all.jobs, plugins > rows.length && rows.length),
    legend(
      ["p50", "p90", "p99"].map((id) => ({
        kind: id,
        href: everything,
        label: id,
        value: seconds(all[id]),
      })),
    ),
    lane,
    chart,
    details("Duration percentiles by plugin", columns, body),
  );
  keep("durations", draw());
}

function noteOf(finished, jobs, slowest) {
  const of =
    jobs < finished
      ? `of the newest ${whole(jobs)} of ${whole(finished)} finished jobs`
      : `of ${counted(jobs, "finished job")}`;
  return slowest ? `${of}; the ${slowest} slowest plugins` : of;
}
