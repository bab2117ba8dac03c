// Makes elements from plain values. The data of jobs becomes text, never markup.

import { age, duration, moment, stamp, utc, whole } from "./format.js";
import { groupOf, kindOf, labelOf } from "./statuses.js";

/** An element with attributes and children; texts and numbers become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A link to a view of this page: `href` is a fragment made by address.js. */
export const link = (href, text, attributes = {}) => make("a", { href, ...attributes }, text);

/** A number in readable form; its `value` is the number itself. */
export const count = (value) => make("data", { value }, whole(value));

/** A duration in readable form; its `value` and title are the seconds. */
export const seconds = (value) => make("data", { value, title: `${value} s` }, duration(value));

/** How long ago a moment was; its title is the moment, in local time and UTC. */
export const ago = (text, now) => timed(text, (date) => age(date, now));

/** A moment in local time; its title has it in UTC, too. */
export const when = (text, now) => timed(text, (date) => stamp(date, now));

function timed(text, said) {
  const date = new Date(text || "");
  if (Number.isNaN(date.getTime())) return text || "–";
  const title = `${moment(date)} (${utc(date)})`;
  return make("time", { datetime: date.toISOString(), title }, said(date));
}

/** The status of a job, as in the response of `list`: a mark and a word. */
export function chip(status) {
  const group = groupOf(status);
  return make("span", { class: `chip is-${kindOf(group)}` }, labelOf(group));
}

/**
 * A table: `columns` are `{title, numeric, only}`, `rows` lists of cells, the first of which is
 * the row heading. `only: "wide"` leaves a column out on narrow screens, `kind` is its style.
 */
export function table(caption, columns, rows) {
  const head = columns.map((column) => make("th", cell(column, "col"), column.title));
  const body = rows.map((cells) => {
    const parts = cells.map((content, i) =>
      make(i ? "td" : "th", cell(columns[i], i ? null : "row"), content),
    );
    return make("tr", {}, ...parts);
  });
  return make(
    "table",
    {},
    make("caption", { class: "hidden" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/** The attributes of a cell of a column; `scope` is that of a heading, or null. */
export function cell({ numeric, only, kind }, scope) {
  const classes = [numeric && "numeric", only, kind].filter(Boolean).join(" ");
  return { ...(scope && { scope }), ...(classes && { class: classes }) };
}

/** A bar that fills a share, from 0 to 1, of its width. Hidden from screen readers. */
export function bar(share, kind) {
  const fill = make("div", { class: `fill ${kind}` });
  fill.style.width = `${100 * share}%`;
  return make("div", { class: "track", "aria-hidden": "true" }, fill);
}

/**
 * Replaces the content of `element` by `children`. The focus goes to the new element with the same
 * tag, class and `href` (or name) as the one that had it.
 */
export function refill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const same = focused && signature(focused);
  element.replaceChildren(...children);
  if (!focused) return;
  const found = [...element.querySelectorAll("a, button, summary, select")];
  found.find((candidate) => signature(candidate) === same)?.focus({ preventScroll: true });
}

const signature = (element) =>
  [element.tagName, element.getAttribute("href") ?? element.name ?? "", element.className].join();
