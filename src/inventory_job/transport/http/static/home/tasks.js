// The tasks of a job: how many there are, and what has become of them.

import { make } from "./dom.js";
import { whole } from "./format.js";

/** The tasks of a job by outcome, none below 0 nor above all: numbers that add up to `total`. */
export function tasksOf(job) {
  const total = Math.max(0, job.total_tasks ?? 0);
  // Races of collectors leave fewer than none, or more than all.
  const upTo = (most, value) => Math.min(most, Math.max(0, value ?? 0));
  const remained = upTo(total, job.remained_tasks);
  const failure = upTo(total - remained, job.failure_tasks);
  const success = upTo(total - remained - failure, job.success_tasks);
  return { total, remained, failure, success, other: total - remained - failure - success };
}

/** How many tasks of a job are done, as a bar of their outcomes and as numbers. */
export function taskBar(job) {
  const { total, remained } = tasksOf(job);
  return make(
    "div",
    { class: "tasks" },
    parts(job),
    make("span", { class: "done" }, `${whole(total - remained)}/${whole(total)}`),
  );
}

/** The bar alone. It says nothing that is not beside it. */
export function parts(job) {
  const { total, success, failure, other } = tasksOf(job);
  const shares = { success, failure, canceled: other };
  const fills = Object.entries(shares).map(([kind, tasks]) => {
    const part = make("span", { class: kind });
    part.style.width = `${total ? (100 * tasks) / total : 0}%`;
    return part;
  });
  return make("span", { class: "parts", "aria-hidden": "true" }, ...fills);
}
