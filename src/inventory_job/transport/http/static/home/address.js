// The state of the page, and its form in the URL.

import { isRange } from "./ranges.js";
import { STATUSES, isStatus } from "./statuses.js";

const VIEWS = ["overview", "jobs", "job"];
const TEXTS = ["domain", "workspace", "plugin", "collector", "q", "job"];
const SWITCHES = ["auto", "stale", "finished"];
const SORTED = [
  "job_id",
  "status",
  "plugin_id",
  "collector_id",
  "workspace_id",
  "created_at",
  "finished_at",
  "total_tasks",
  "failure_tasks",
];
export const SIZES = [25, 50, 100, 500, 1000];
const DEFAULT_SIZE = 50;
const NEWEST_FIRST = "-created_at";
/** The fragment of the default state. */
export const EMPTY = "#view=overview";

/**
 * The state that an address holds, in its fragment or in its query string; the fragment wins.
 *
 * `view`: overview, jobs or job. `domain`, `workspace`, `plugin`, `collector`, `q` (part of an id),
 * `job`: texts, null where the address has none; an empty `plugin`, `collector` or `workspace`
 * stands for jobs without one. `range`: the name of a range, or null. `from`, `to`: ISO 8601, or
 * null. `status`: groups. `stale` (running, without an update for an hour), `finished`, `auto`:
 * booleans. `sort`: a field, behind `-` if descending. `page` (from 1), `size`: numbers. `running`:
 * "newest" or "oldest".
 */
export function stateOf({ search, hash }) {
  const given = new URLSearchParams(search);
  for (const [name, value] of new URLSearchParams(hash.slice(1))) given.set(name, value);
  const state = {};
  for (const name of TEXTS) state[name] = given.get(name);
  state.domain = state.domain?.trim();
  for (const name of SWITCHES) state[name] = given.get(name) === "1";
  for (const name of ["from", "to"]) state[name] = moment(given.get(name));
  for (const name of ["domain", "q", "job"]) state[name] ||= null;
  state.view = view(given.get("view"), state.job);
  state.range = isRange(given.get("range")) ? given.get("range") : null;
  const groups = (given.get("status") ?? "").toUpperCase().split(",").filter(isStatus);
  state.status = STATUSES.map(({ id }) => id).filter((id) => groups.includes(id));
  const sort = given.get("sort") ?? "";
  state.sort = SORTED.includes(sort.replace(/^-/, "")) ? sort : NEWEST_FIRST;
  state.page = Math.max(1, Math.min(Number.parseInt(given.get("page"), 10) || 1, 1e6));
  const size = Number(given.get("size"));
  state.size = SIZES.includes(size) ? size : DEFAULT_SIZE;
  state.running = given.get("running") === "newest" ? "newest" : "oldest";
  return state;
}

function view(name, job) {
  const wanted = VIEWS.includes(name) ? name : job ? "job" : "overview";
  return wanted === "job" && !job ? "jobs" : wanted;
}

function moment(text) {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The URL fragment of `state`, without members at their defaults. */
export function fragment(state) {
  const kept = new URLSearchParams();
  if (state.view !== "overview") kept.set("view", state.view);
  for (const name of TEXTS) if (state[name] != null) kept.set(name, state[name]);
  if (state.status?.length) kept.set("status", state.status.join(","));
  for (const name of ["range", "from", "to"]) if (state[name]) kept.set(name, state[name]);
  for (const name of SWITCHES) if (state[name]) kept.set(name, "1");
  if (state.sort && state.sort !== NEWEST_FIRST) kept.set("sort", state.sort);
  if (state.page > 1) kept.set("page", state.page);
  if (state.size && state.size !== DEFAULT_SIZE) kept.set("size", state.size);
  if (state.running === "newest") kept.set("running", "newest");
  // Not an empty fragment: browsers would scroll to the top of the page.
  return kept.size ? `#${kept}` : EMPTY;
}

/** The members of a state that stay the same from view to view. */
const context = ({ domain, auto, size }) => ({ domain, auto, size });

/** The address of all jobs that meet `filters`, members of a state. */
export const jobsLink = (state, filters = {}) =>
  fragment({ ...context(state), view: "jobs", ...filters });

/** The address of one job. */
export const jobLink = (state, job) => fragment({ ...context(state), view: "job", job });

/** The address of the overview. */
export const overviewLink = (state) =>
  fragment({ ...context(state), view: "overview", workspace: state.workspace, range: state.range });

/** The address of `state` with `changes`; of its first page, unless they have another `page`. */
export const changed = (state, changes) => fragment({ ...state, page: 1, ...changes });
