// The two charts, drawn by Chart.js in the colours of the style sheet.

import { counted, duration, whole } from "./format.js";
import { laneWith } from "./lane.js";
import { STATUSES, kindOf } from "./statuses.js";

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600,
  43200, 86400, 172800, 604800,
];
const PARTS = [
  { id: "p50", label: "p50", from: () => 0 },
  { id: "p90", label: "p90", from: (row) => row.p50 },
  { id: "p99", label: "p99", from: (row) => row.p90 },
];

/** The colour of a status or a percentile, from the style sheet in its current colour scheme. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const statusColour = (id) => colour(`status-${kindOf(id)}`);

/**
 * The chart of `questions.history` in a canvas: `{lane, draw}`. The caller puts `lane`
 * above it, calls `draw()` once both are in the page, and destroys the chart that it returns.
 * A click calls `choose(interval, status)`; a click beside the bars, without a status.
 */
export function historyChart(canvas, { rows }, choose) {
  const surface = colour("surface");
  const datasets = STATUSES.map(({ id, label }) => ({
    label,
    // Null instead of 0, so that nothing is drawn.
    data: rows.map(({ jobs }) => jobs[id] || null),
    backgroundColor: statusColour(id),
    borderColor: surface,
    borderWidth: { top: 1 },
    borderSkipped: false,
  }));
  const { element: lane, tooltip } = laneWith((items) => {
    const named = items.map(({ dataset, raw }) => `${whole(raw)} ${dataset.label.toLowerCase()}`);
    const all = items.reduce((sum, { raw }) => sum + raw, 0);
    const interval = rows[items[0].dataIndex].interval.name;
    return [interval, ...named.reverse(), counted(all, "job")].join(" · ");
  });
  const options = {
    type: "bar",
    data: { labels: rows.map(({ interval }) => interval.tick), datasets },
    options: {
      ...common(),
      onClick: (event, [any], chart) => {
        if (!any) return;
        const [bar] = chart.getElementsAtEventForMode(event, "point", { intersect: true }, false);
        choose(rows[any.index].interval, bar && STATUSES[bar.datasetIndex].id);
      },
      interaction: { mode: "index", intersect: false },
      datasets: { bar: { categoryPercentage: 0.92, barPercentage: 0.9, maxBarThickness: 56 } },
      scales: {
        x: {
          stacked: true,
          grid: { display: false },
          border: { color: colour("line") },
          ticks: { maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          grid: { color: colour("grid") },
          border: { display: false },
          ticks: { precision: 0, maxTicksLimit: 6, callback: whole },
        },
      },
      plugins: {
        legend: { display: false },
        tooltip: { ...tooltip, filter: (item) => item.raw > 0 },
      },
    },
  };
  return { lane, draw: () => new Chart(canvas, options) };
}

/** A chart of rows `{name, p50, p90, p99}` (seconds), as above; a click calls `choose(row)`. */
export function durationChart(canvas, rows, choose) {
  const longest = Math.max(...rows.map((row) => row.p99));
  const step = STEPS.find((size) => longest / size <= 5) ?? Math.ceil(longest / 5);
  const datasets = PARTS.map(({ id, label, from }) => ({
    label,
    data: rows.map((row) => row[id] - from(row)),
    backgroundColor: colour(id),
  }));
  const { element: lane, tooltip } = laneWith(([{ dataIndex }]) => {
    const row = rows[dataIndex];
    const named = PARTS.map(({ id }) => `${id} ${duration(row[id])}`);
    return [row.name, ...named, counted(row.jobs, "job")].join(" · ");
  });
  const options = {
    type: "bar",
    data: { labels: rows.map((row) => row.name), datasets },
    options: {
      ...common(),
      onClick: (_, [bar]) => bar && choose(rows[bar.index]),
      indexAxis: "y",
      interaction: { mode: "index", intersect: false, axis: "y" },
      datasets: { bar: { barThickness: 10 } },
      layout: { padding: { top: 8 } },
      scales: {
        x: {
          stacked: true,
          min: 0,
          suggestedMax: longest,
          grid: { color: colour("grid") },
          border: { display: false },
          ticks: { stepSize: step, maxRotation: 0, callback: duration },
        },
        // The names stand above the bars: they are long, and the screen may be narrow.
        y: {
          stacked: true,
          grid: { display: false },
          border: { display: false },
          ticks: {
            mirror: true,
            padding: 0,
            labelOffset: -14,
            z: 1,
            color: colour("text"),
            autoSkip: false,
          },
        },
      },
      plugins: {
        legend: { display: false },
        tooltip,
      },
    },
  };
  return { lane, draw: () => new Chart(canvas, options) };
}

function common() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = colour("muted");
  const onHover = ({ native }, found) => {
    native.target.style.cursor = found.length ? "pointer" : "default";
  };
  return { animation: false, responsive: true, maintainAspectRatio: false, onHover };
}
