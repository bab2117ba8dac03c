// The queries of the overview, with results in the form in which they are drawn.

import { FAILED, STATUSES, groupOf } from "./statuses.js";

const PAGES = 5;
const MOST_ROWS = 8;
const MOST_RUNNING = 10;
const RUNNING = [
  "job_id",
  "status",
  "plugin_id",
  "created_at",
  "updated_at",
  "total_tasks",
  "remained_tasks",
  "success_tasks",
  "failure_tasks",
];
// The parameter `filter` or `query` of each function selects the jobs.

/** Jobs by interval and status: `{rows: [{interval, jobs: {status: n}}], totals: {status: n}}`. */
export async function history(service, filter, span, signal) {
  const keys = [
    { key: "created_at", name: "at", date_format: span.pattern },
    { key: "status", name: "status" },
  ];
  const group = { keys, fields: [{ operator: "count", name: "jobs" }] };
  const answer = await service.pages(
    "stat",
    { filter, aggregate: [{ group }] },
    PAGES,
    signal,
  );
  const rows = span.intervals.map((interval) => ({ interval, jobs: noJobs() }));
  const byKey = new Map(rows.map((row) => [row.interval.key, row.jobs]));
  const totals = noJobs();
  for (const { at, status, jobs } of answer.results) {
    // A stored value that is not a date, such as a list of dates, is in no interval.
    const row = byKey.get(at);
    if (row) row[groupOf(status)] += jobs;
    totals[groupOf(status)] += jobs;
  }
  return { rows, totals, unit: span.unit, left: answer.total - answer.results.length };
}

const noJobs = () => Object.fromEntries(STATUSES.map(({ id }) => [id, 0]));

/**
 * The values of the field `key` with most failures:
 * `{rows: [{name, plugins, jobs, failures}], more}`; `plugins` are the ids of their plugins.
 */
export async function failures(service, filter, key, signal) {
  const query = {
    filter,
    add_fields: { failed: { if: { __in: ["$status", FAILED] }, then: 1, else: 0 } },
    group_by: [{ key, name: "name" }],
    fields: {
      jobs: { operator: "count" },
      failures: { operator: "sum", key: "failed" },
      plugins: { operator: "add_to_set", key: "plugin_id" },
    },
    sort: [{ key: "failures", desc: true }, { key: "name" }],
    page: { limit: MOST_ROWS },
  };
  const { results = [], more } = await service.call("analyze", query, signal);
  const rows = results.filter((row) => row.failures > 0);
  return { rows, more: Boolean(more) && rows.length === results.length };
}

/** The oldest or newest of the jobs, as in the response of `list`, and how many there are. */
export async function running(service, filter, newest, signal) {
  const query = {
    filter,
    only: RUNNING,
    sort: [{ key: "created_at", desc: newest }],
    page: { limit: MOST_RUNNING },
  };
  const { results = [], total_count: total = 0 } = await service.call("list", query, signal);
  return { jobs: results, total };
}

/** How many jobs meet `query`: `{total}`. */
export async function stuck(service, query, signal) {
  const answer = await service.call("list", { ...query, count_only: true }, signal);
  return { total: answer.total_count ?? 0 };
}

/**
 * Percentiles of seconds from creation to end, over the newest finished jobs: of all of them, and
 * of the plugins with the highest p90: `{finished, all, rows: [{plugin_id, jobs, p50, p90, p99}],
 * plugins}`, where `plugins` is how many there are.
 */
export async function durations(service, filter, signal) {
  const query = {
    filter: [...filter, { key: "finished_at", operator: "not", value: null }],
    only: ["plugin_id", "created_at", "finished_at"],
  };
  const answer = await service.pages("list", query, PAGES, signal);
  const seconds = new Map();
  for (const job of answer.results) {
    const taken = secondsOf(job);
    if (!(taken >= 0)) continue;
    const plugin = job.plugin_id ?? "";
    if (!seconds.has(plugin)) seconds.set(plugin, []);
    seconds.get(plugin).push(taken);
  }
  const rows = [...seconds]
    .map(([plugin_id, values]) => ({ plugin_id, ...percentiles(values) }))
    .sort((a, b) => b.p90 - a.p90 || (a.plugin_id < b.plugin_id ? -1 : 1));
  return {
    finished: answer.total,
    all: percentiles([...seconds.values()].flat()),
    rows: rows.slice(0, MOST_ROWS),
    plugins: rows.length,
  };
}

/** The p99 of the seconds that the newest finished jobs of a plugin took, of any age. */
export async function usual(service, plugin, signal) {
  const query = {
    filter: [
      { key: "plugin_id", operator: "eq", value: plugin },
      { key: "finished_at", operator: "not", value: null },
    ],
    only: ["created_at", "finished_at"],
  };
  const { results } = await service.pages("list", query, 1, signal);
  return percentiles(results.map(secondsOf).filter((taken) => taken >= 0)).p99;
}

const secondsOf = (job) => (new Date(job.finished_at) - new Date(job.created_at)) / 1000;

/** Percentiles by nearest rank: p90 is the smallest value that 90 % of all do not exceed. */
function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return { jobs: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
