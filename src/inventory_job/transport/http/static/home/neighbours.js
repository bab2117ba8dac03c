// The jobs before and after a job, of the same collector or of the same plugin.

import { jobLink } from "./address.js";
import { chip, link, make, refill, when } from "./dom.js";
import { duration, moment } from "./format.js";
import { groupOf, kindOf, labelOf } from "./statuses.js";

const MOST = 12;
const FIELDS = ["job_id", "status", "created_at", "finished_at"];

/** The nearest jobs with the same `field`: `{before, after}`, each oldest first. */
export async function around(service, field, job, signal) {
  if (Number.isNaN(Date.parse(job.created_at ?? ""))) return { before: [], after: [] };
  const side = async (operator, desc) => {
    const query = {
      filter: [
        { key: field, operator: "eq", value: job[field] || null },
        { key: "created_at", operator, value: job.created_at },
      ],
      only: FIELDS,
      sort: [{ key: "created_at", desc }],
      page: { limit: MOST },
    };
    return (await service.call("list", query, signal)).results ?? [];
  };
  const [before, after] = await Promise.all([side("datetime_lt", true), side("datetime_gt", false)]);
  return { before: before.reverse(), after };
}

/** Draws the jobs of `found` with `job` between them; undefined if the calls failed. */
export function drawAround(element, found, job, state, now) {
  if (!found) {
    refill(element, make("p", { class: "empty" }, "Not available."));
    return;
  }
  const { before, after } = found;
  const marks = [...before, job, ...after].map((run) => mark(run, run === job, state));
  refill(
    element,
    make("ol", { class: "strip", "aria-label": "Oldest first" }, ...marks),
    make(
      "dl",
      { class: "nearest" },
      ...near("Before", before.at(-1), state, now),
      ...near("After", after[0], state, now),
    ),
  );
}

function mark(run, isThis, state) {
  const created = new Date(run.created_at || "");
  const since = Number.isNaN(created.getTime()) ? "" : `, ${moment(created)}`;
  const label = `${labelOf(groupOf(run.status))}${since}${taken(run)}`;
  const kind = `run ${kindOf(groupOf(run.status))}`;
  const attributes = { class: kind, title: label, "aria-label": `${run.job_id}: ${label}` };
  const here = isThis ? { "aria-current": "true" } : {};
  return make("li", {}, link(jobLink(state, run.job_id ?? ""), "", { ...attributes, ...here }));
}

function taken(run) {
  const seconds = (new Date(run.finished_at || "") - new Date(run.created_at)) / 1000;
  return seconds >= 0 ? `, took ${duration(seconds)}` : "";
}

function near(title, run, state, now) {
  const shown = run
    ? [link(jobLink(state, run.job_id), run.job_id), chip(run.status), when(run.created_at, now)]
    : ["none"];
  return [make("dt", {}, title), make("dd", {}, ...shown)];
}
