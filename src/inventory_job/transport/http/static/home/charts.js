// The two charts, drawn by Chart.js in the colours of the style sheet.

import { STATUSES } from "./questions.js";
import { counted, duration, whole } from "./format.js";

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600,
  43200, 86400, 172800, 604800,
];
const PARTS = [
  { id: "p50", label: "p50", from: () => 0 },
  { id: "p90", label: "p90", from: (row) => row.p50 },
  { id: "p99", label: "p99", from: (row) => row.p90 },
];

/** The colour of a status or a percentile, as the style sheet has it now. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const statusColour = (id) => colour(`status-${id.toLowerCase().replace("_", "-")}`);

/** Draws `questions.history` into a canvas; returns the chart, to be destroyed by the caller. */
export function historyChart(canvas, { rows }) {
  const surface = colour("surface");
  const datasets = STATUSES.map(({ id, label }) => ({
    label,
    // Null, not 0: nothing is drawn for it.
    data: rows.map(({ jobs }) => jobs[id] || null),
    backgroundColor: statusColour(id),
    borderColor: surface,
    borderWidth: { top: 1 },
    borderSkipped: false,
  }));
  return new Chart(canvas, {
    type: "bar",
    data: { labels: rows.map(({ interval }) => interval.tick), datasets },
    options: {
      ...common(),
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
        tooltip: {
          ...tooltip(),
          filter: (item) => item.raw > 0,
          itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
          callbacks: {
            title: ([item]) => (item ? rows[item.dataIndex].interval.name : ""),
            label: (item) => ` ${item.dataset.label} ${whole(item.raw)}`,
            footer: (items) =>
              counted(
                items.reduce((sum, item) => sum + item.raw, 0),
                "job",
              ),
          },
        },
      },
    },
  });
}

/** Draws rows of `{name, p50, p90, p99}` (seconds) as bars; returns the chart likewise. */
export function durationChart(canvas, rows) {
  const longest = Math.max(...rows.map((row) => row.p99));
  const step = STEPS.find((size) => longest / size <= 5) ?? Math.ceil(longest / 5);
  const datasets = PARTS.map(({ id, label, from }) => ({
    label,
    data: rows.map((row) => row[id] - from(row)),
    backgroundColor: colour(id),
  }));
  return new Chart(canvas, {
    type: "bar",
    data: { labels: rows.map((row) => row.name), datasets },
    options: {
      ...common(),
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
        tooltip: {
          ...tooltip(),
          callbacks: {
            label: (item) =>
              ` ${item.dataset.label} ${duration(rows[item.dataIndex][PARTS[item.datasetIndex].id])}`,
            footer: ([item]) => counted(rows[item.dataIndex].jobs, "job"),
          },
        },
      },
    },
  });
}

function common() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = colour("muted");
  return { animation: false, responsive: true, maintainAspectRatio: false };
}

function tooltip() {
  return {
    backgroundColor: colour("tip"),
    titleColor: colour("tip-text"),
    bodyColor: colour("tip-text"),
    footerColor: colour("tip-text"),
    padding: 10,
    boxPadding: 4,
    cornerRadius: 6,
  };
}
