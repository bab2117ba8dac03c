// The panels of the overview, whose open tables stay open when their content changes.

import { count, link, make, refill, table } from "./dom.js";

const charts = new Map();

/**
 * Puts `children` and a note into the panel `id`. Destroys the former chart; an open table stays
 * open and keeps its scroll position.
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

/** Registers the `chart` of the panel `id`, which the next `fill` destroys. */
export const keep = (id, chart) => charts.set(id, chart);

/** Fills a panel with a sentence in place of data. */
export const fillEmpty = (id, text) => fill(id, "", make("p", { class: "empty" }, text));

/** Fills a panel whose call failed; the error is shown above the panels. */
export const fillMissing = (id) => fillEmpty(id, "Not available.");

/** A table in a closed `details` element. */
export function details(title, columns, rows) {
  // An element needs the focus to be scrolled by keyboard.
  const scroll = { class: "scroll", tabindex: "0", role: "region", "aria-label": title };
  return make(
    "details",
    {},
    make("summary", {}, "Show as a table"),
    make("div", scroll, table(title, columns, rows)),
  );
}

/** A number of jobs as a link to the list of them; 0 without a link. */
export const linked = (href, value) => (value ? link(href, count(value)) : count(value));

/** A legend of items `{kind, href, label, value}`; `value` is an element. */
export function legend(items) {
  const parts = items.map(({ kind, href, label, value }) =>
    make("li", {}, link(href, make("span", {}, make("span", { class: `dot ${kind}` }), `${label} `, value))),
  );
  return make("ul", { class: "legend" }, ...parts);
}
