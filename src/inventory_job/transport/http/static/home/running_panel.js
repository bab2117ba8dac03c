// The running jobs; those that may be stuck are marked.

import { changed, jobLink, jobsLink } from "./address.js";
import { ago, link, make, table } from "./dom.js";
import { counted, duration, whole } from "./format.js";
import { isStale } from "./filters.js";
import { fill, fillEmpty } from "./panels.js";
import { taskBar } from "./tasks.js";

/** Draws `questions.running`; `slow`: by plugin, the seconds beyond which a job is slow. */
export function drawRunning({ jobs, total }, slow, { state, anyAge, now }) {
  if (!jobs.length) {
    fillEmpty("running", "No job is running.");
    return;
  }
  const rows = jobs.map((job) => [
    make(
      "div",
      { class: "named" },
      job.job_id ? link(jobLink(state, job.job_id), job.job_id, { class: "name id" }) : "–",
      make("span", { class: "aside" }, job.plugin_id ?? ""),
    ),
    make("span", { class: "started" }, ago(job.created_at, now), ...flags(job, slow, now)),
    taskBar(job),
  ]);
  const columns = [{ title: "Job" }, { title: "Started" }, { title: "Tasks done" }];
  const all = jobsLink(state, { ...anyAge, status: ["IN_PROGRESS"], ...sorted(state) });
  const shown =
    total > jobs.length
      ? `the ${jobs.length} ${state.running} of ${whole(total)}`
      : counted(total, "job");
  const other = state.running === "oldest" ? "newest" : "oldest";
  const note = make("span", {}, link(all, shown), " · ");
  note.append(link(changed(state, { running: other }), `${other} first`));
  fill("running", note, table("Running jobs", columns, rows));
}

const sorted = ({ running }) => (running === "oldest" ? { sort: "created_at" } : {});

/** Why a job may be stuck. */
function flags(job, slow, now) {
  const found = [];
  const limit = slow?.get(job.plugin_id ?? "");
  const age = (now - new Date(job.created_at || "")) / 1000;
  if (age > limit) {
    const title = `Runs longer than 99 of 100 jobs of its plugin (${duration(limit)})`;
    found.push(make("span", { class: "flag", title }, "slow"));
  }
  if (isStale(job, now)) {
    found.push(make("span", { class: "flag", title: "Not updated for an hour" }, "stale"));
  }
  return found;
}
