// The filters of a state, as conditions of a query and in words.

import { moment } from "./format.js";
import { rangeLabel, spanOf } from "./ranges.js";
import { labelOf, statusConditions } from "./statuses.js";

const IDS = { plugin: "plugin_id", collector: "collector_id", workspace: "workspace_id" };
const HOUR = 3600e3;
const WHOLE_ID = /^job-[0-9a-f]{12}$/;
const BEGINNING = /^job-[0-9a-f]+$/;
const LAST = "\uffff";

/** The conditions of a query for the jobs of `state`: `{filter}`, maybe with `filter_or`. */
export function queryOf(state, now) {
  const conditions = statusConditions(state.status);
  for (const [name, key] of Object.entries(IDS)) {
    // Empty: jobs without one.
    if (state[name] !== null)
      conditions.push({ key, operator: "eq", value: state[name] || null });
  }
  if (state.q) conditions.push(...byId(state.q));
  if (state.range) conditions.push(...spanOf(state.range, now).conditions);
  if (state.from) {
    conditions.push({ key: "created_at", operator: "datetime_gte", value: state.from });
  }
  if (state.to) conditions.push({ key: "created_at", operator: "datetime_lt", value: state.to });
  if (state.finished) conditions.push({ key: "finished_at", operator: "not", value: null });
  if (!state.stale) return { filter: conditions };
  return { filter: [...conditions, ...STALE.filter], filter_or: STALE.filter_or };
}

/** Conditions of running jobs without an update for an hour; some never had one. */
const STALE = {
  filter: [
    { key: "status", operator: "eq", value: "IN_PROGRESS" },
    { key: "created_at", operator: "timediff_lt", value: "now-1h" },
  ],
  filter_or: [
    { key: "updated_at", operator: "timediff_lt", value: "now-1h" },
    { key: "updated_at", operator: "eq", value: null },
  ],
};

/** Whether `job`, as in the response of `list`, meets the conditions STALE. */
export function isStale(job, now) {
  const last = new Date(job.updated_at || job.created_at || "");
  return job.status === "IN_PROGRESS" && now - last > HOUR;
}

/** Conditions by job id: an index serves a whole id or a prefix; other parts scan all jobs. */
function byId(text) {
  const key = "job_id";
  if (WHOLE_ID.test(text)) return [{ key, operator: "eq", value: text }];
  if (!BEGINNING.test(text)) return [{ key, operator: "contain", value: text }];
  return [
    { key, operator: "gte", value: text },
    { key, operator: "lt", value: text + LAST },
  ];
}

/** The active filters: `{name, text, without}`, where `without` is the change that drops one. */
export function filtersOf(state) {
  const found = [];
  const add = (name, text, without) => found.push({ name, text, without });
  if (state.status.length) {
    add("Status", state.status.map(labelOf).join(" or "), { status: [] });
  }
  for (const name of Object.keys(IDS)) {
    if (state[name] !== null) add(capital(name), state[name] || "none", { [name]: null });
  }
  if (state.q) add("Id has", state.q, { q: null });
  if (state.range) add("Created in the last", rangeLabel(state.range), { range: null });
  if (state.from) add("Created from", moment(new Date(state.from)), { from: null });
  if (state.to) add("Created before", moment(new Date(state.to)), { to: null });
  if (state.finished) add("Has", "an end", { finished: false });
  if (state.stale) add("Running, not updated for", "1 hour", { stale: false });
  return found;
}

/** The changes that drop every filter. */
export const unfiltered = {
  status: [],
  plugin: null,
  collector: null,
  workspace: null,
  q: null,
  range: null,
  from: null,
  to: null,
  finished: false,
  stale: false,
};

const capital = (word) => word[0].toUpperCase() + word.slice(1);
