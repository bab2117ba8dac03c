// The figures at the top of the overview.

import { jobsLink } from "./address.js";
import { count, link, make } from "./dom.js";
import { percent, whole } from "./format.js";

const FINISHED = ["SUCCESS", "FAILURE", "CANCELED"];

/** Draws the figures; those whose call failed are undefined. */
export function drawSummary({ history, running, stuck }, { state, within, anyAge, span }) {
  const tiles = [];
  const ago = `in the last ${span.label}`;
  if (history) {
    const behind = (status) => jobsLink(state, { ...within, status });
    const { totals } = history;
    const finished = FINISHED.reduce((sum, id) => sum + totals[id], 0);
    const jobs = Object.values(totals).reduce((sum, number) => sum + number, 0);
    const rate = totals.SUCCESS / finished;
    const share = finished
      ? link(behind(["SUCCESS"]), make("data", { value: rate }, percent(rate)))
      : "–";
    const of = finished ? link(behind(FINISHED), `of ${whole(finished)} finished`) : "none finished";
    tiles.push(
      tile("total", "Jobs", link(behind([]), count(jobs)), ago),
      tile("success", "Success rate", share, of),
      tile("failures", "Failures", link(behind(["FAILURE"]), count(totals.FAILURE)), ago),
    );
  }
  if (running) {
    const all = jobsLink(state, { ...anyAge, status: ["IN_PROGRESS"] });
    const stale = jobsLink(state, { ...anyAge, stale: true });
    const note = stuck?.total
      ? link(stale, `${whole(stuck.total)} not updated for an hour`, { class: "warn" })
      : "now, of any age";
    tiles.push(tile("running-now", "Running", link(all, count(running.total)), note));
  }
  document.getElementById("summary").replaceChildren(...tiles);
}

function tile(id, title, value, note) {
  return make(
    "div",
    { id, class: "tile" },
    make("h2", {}, title),
    make("p", { class: "figure" }, value),
    make("p", { class: "note" }, note),
  );
}
