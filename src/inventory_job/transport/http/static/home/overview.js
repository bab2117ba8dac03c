// The overview: panels about the jobs of a range, and about those running now.

import { loading } from "./api.js";
import { drawDurations } from "./durations_panel.js";
import { drawFailures } from "./failures_panel.js";
import { queryOf, unfiltered } from "./filters.js";
import { drawHistory } from "./history_panel.js";
import { fillMissing } from "./panels.js";
import { durations, failures, history, running, stuck, usual } from "./questions.js";
import { DEFAULT_RANGE, spanOf } from "./ranges.js";
import { drawRunning } from "./running_panel.js";
import { drawSummary } from "./summary.js";

const KEPT = 300e3;
const PANELS = ["history", "plugins", "collectors", "durations", "running"];

const view = document.getElementById("overview");
let drawn = () => {};
// A cache by plugin: `longest`, the p99 of its durations, and `until`, when that expires.
const known = new Map();

/** Loads all panels, draws those whose calls succeed, and returns the problems of the others. */
export async function show({ state, service, now, signal }) {
  const range = state.range ?? DEFAULT_RANGE;
  const span = spanOf(range, now);
  // Filters of the jobs counted in the range (`within`), and of running jobs of any age.
  const anyAge = { workspace: state.workspace };
  const within = { ...anyAge, range };
  const filtered = (filters) => queryOf({ ...unfiltered, ...filters }, now);
  const { filter } = filtered(within);
  const inProgress = filtered({ ...anyAge, status: ["IN_PROGRESS"] });
  const inNow = running(service, inProgress.filter, state.running === "newest", signal);
  const asked = {
    history: history(service, filter, span, signal),
    plugins: failures(service, filter, "plugin_id", signal),
    collectors: failures(service, filter, "collector_id", signal),
    running: inNow,
    slow: inNow.then(({ jobs }) => limits(service, jobs, now, signal)),
    stuck: stuck(service, filtered({ ...anyAge, stale: true }), signal),
    durations: durations(service, filter, signal),
  };
  // Only this view has charts: the other views do not load the library.
  const library = import("./chart.umd.min.js");
  const { answers, problems } = await settled(asked);
  await loading(library);
  if (signal.aborted) return [];
  drawn = () => draw(answers, { state, within, anyAge, span, now });
  drawn();
  return problems;
}

/** By plugin of `jobs`: the seconds beyond which a running job is slow. */
async function limits(service, jobs, now, signal) {
  const plugins = [...new Set(jobs.map((job) => job.plugin_id).filter(Boolean))];
  const asked = plugins.filter((plugin) => !(known.get(plugin)?.until > now));
  const until = now.getTime() + KEPT;
  await Promise.all(
    asked.map(async (plugin) => {
      known.set(plugin, { until, longest: await usual(service, plugin, signal) });
    }),
  );
  return new Map(plugins.map((plugin) => [plugin, known.get(plugin).longest]));
}

/** Draws the same data again, for a change of the colour scheme. */
export const redraw = () => drawn();

/** Clears the view and its cache. */
export function clear() {
  drawn = () => {};
  known.clear();
  for (const part of view.querySelectorAll(".body, .note, #summary")) part.replaceChildren();
}

async function settled(asked) {
  const names = Object.keys(asked);
  const outcomes = await Promise.allSettled(Object.values(asked));
  const answers = {};
  const problems = [];
  outcomes.forEach(({ status, value, reason: error }, i) => {
    if (status === "fulfilled") answers[names[i]] = value;
    else problems.push({ error, panel: titleOfPanel(names[i]) });
  });
  const all = !Object.keys(answers).length;
  return { answers, problems: problems.map((problem) => ({ ...problem, all })) };
}

const titleOfPanel = (id) =>
  document.getElementById(`${id}-title`)?.textContent ?? "Jobs that may be stuck";

function draw(answers, context) {
  const draws = {
    history: (answer) => drawHistory(answer, context),
    plugins: (answer) => drawFailures("plugins", answer, context),
    collectors: (answer) => drawFailures("collectors", answer, context),
    running: (answer) => drawRunning(answer, answers.slow, context),
    durations: (answer) => drawDurations(answer, context),
  };
  drawSummary(answers, context);
  for (const id of PANELS) {
    if (answers[id]) draws[id](answers[id]);
    else fillMissing(id);
  }
}
