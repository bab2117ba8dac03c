// Jobs by time and status: legend with totals, chart, table.

import { jobsLink } from "./address.js";
import { historyChart } from "./charts.js";
import { link, make, count } from "./dom.js";
import { utc, whole } from "./format.js";
import { details, fill, fillEmpty, keep, legend, linked } from "./panels.js";
import { STATUSES, kindOf } from "./statuses.js";

const FEW = 10;

/** Draws `questions.history`; `within`: the filters of the jobs it counts. */
export function drawHistory(history, { state, within, span }) {
  const shown = STATUSES.filter(({ id }) => id !== "OTHER" || history.totals.OTHER);
  if (shown.every(({ id }) => !history.totals[id])) {
    fillEmpty("history", `No jobs were created in the last ${span.label}.`);
    return;
  }
  const behind = ({ start, stop }, status) =>
    jobsLink(state, {
      ...within,
      range: null,
      from: start.toISOString(),
      to: stop.toISOString(),
      status,
    });
  const canvas = make("canvas", {
    role: "img",
    "aria-label": `Jobs by ${history.unit} and status, as in the table below`,
  });
  const chart = make("div", { class: "chart" }, canvas);
  const most = Math.max(...history.rows.map(({ jobs }) => sum(Object.values(jobs))));
  chart.classList.toggle("low", most < FEW);
  const rows = history.rows.map(({ interval, jobs }) => [
    link(behind(interval, []), time(interval)),
    ...shown.map(({ id }) => linked(behind(interval, [id]), jobs[id])),
  ]);
  const unit = history.unit === "day" ? "Day" : "Hour";
  const columns = [
    { title: unit },
    ...shown.map(({ label }) => ({ title: label, numeric: true })),
  ];
  const { lane, draw } = historyChart(canvas, history, (interval, status) => {
    location.hash = behind(interval, status ? [status] : []);
  });
  fill(
    "history",
    noteOf(history),
    totals(shown, history.totals, (id) => jobsLink(state, { ...within, status: [id] })),
    lane,
    chart,
    details("Jobs by time and status", columns, rows),
  );
  keep("history", draw());
}

function noteOf({ unit, left }) {
  const note = unit === "day" ? "by day, in UTC" : "by hour, in your time zone";
  return left ? `${note}; ${whole(left)} groups too many are left out` : note;
}

const time = ({ start, name }) =>
  make("time", { datetime: start.toISOString(), title: utc(start) }, name);

const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);

function totals(shown, numbers, behind) {
  const items = shown.map(({ id, label }) => ({
    kind: kindOf(id),
    href: behind(id),
    label,
    value: count(numbers[id]),
  }));
  return legend(items.reverse());
}
