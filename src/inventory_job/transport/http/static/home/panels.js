// The panels of the overview: what each holds, and what stays as it was when that changes.

import { count, link, make, refill, table } from "./dom.js";

const charts = new Map();

/**
 * Puts `children` and a note into the panel `id`; a chart that was there is destroyed, and a table
 * that was opened stays so, as it was scrolled.
 */
export function fill(id, note, ...children) {
  charts.get(id)?.destroy();
  charts.delete(id);
  const panel = document.getElementById(id);
  const before = panel.querySelector("details");
  const top = before?.lastChild.scrollTop;
  panel.querySelector(".note").replaceChildren(note);
  refill(panel.querySelector(".body"), ...children);
  const after = panel.querySelector("details");
  if (!after || !before) return;
  after.open = before.open;
  after.lastChild.scrollTop = top;
}

/** Has `fill` destroy `chart` in time, which is in the panel `id`. */
export const keep = (id, chart) => charts.set(id, chart);

/** Says in a panel that there is nothing to show. */
export const fillEmpty = (id, text) => fill(id, "", make("p", { class: "empty" }, text));

/** A panel whose call failed; what went wrong is said above. */
export const fillMissing = (id) => fillEmpty(id, "Not available.");

/** A table to be opened. */
export function details(title, columns, rows) {
  // The keyboard scrolls what it can reach.
  const scroll = { class: "scroll", tabindex: "0", role: "region", "aria-label": title };
  return make(
    "details",
    {},
    make("summary", {}, "Show as a table"),
    make("div", scroll, table(title, columns, rows)),
  );
}

/** A number of jobs as a link to the list of them; none is no link. */
export const linked = (href, value) => (value ? link(href, count(value)) : count(value));

/** A legend: `{kind, href, label, value}`, of which `value` is an element. */
export function legend(items) {
  const parts = items.map(({ kind, href, label, value }) =>
    make("li", {}, link(href, make("span", {}, make("span", { class: `dot ${kind}` }), `${label} `, value))),
  );
  return make("ul", { class: "legend" }, ...parts);
}
