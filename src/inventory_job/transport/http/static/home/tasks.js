// The tasks of a job by outcome, as numbers and as a bar.

import { make } from "./dom.js";
import { whole } from "./format.js";

/** The numbers of tasks of a job by outcome, adjusted so that they add up to `total`. */
export function tasksOf(job) {
  const total = Math.max(0, job.total_tasks ?? 0);
  // Race conditions of collectors leave numbers below 0 or above the total.
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

/** The bar alone, hidden from screen readers. */
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
