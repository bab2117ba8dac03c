// Elements made of plain values. What a job says becomes text, never markup.

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

/** A number as people read it, and as it is. */
export const count = (value) => make("data", { value }, whole(value));

/** Seconds as people read them, and as they are. */
export const seconds = (value) => make("data", { value, title: `${value} s` }, duration(value));

/** How long ago a moment was; its title says when, here and in UTC. */
export const ago = (text, now) => timed(text, (date) => age(date, now));

/** When a moment was, in this zone; its title says so in UTC, too. */
export const when = (text, now) => timed(text, (date) => stamp(date, now));

function timed(text, said) {
  const date = new Date(text || "");
  if (Number.isNaN(date.getTime())) return text || "–";
  const title = `${moment(date)} (${utc(date)})`;
  return make("time", { datetime: date.toISOString(), title }, said(date));
}

/** The status of a job, as a list gives it: a mark and a word. */
export function chip(status) {
  const group = groupOf(status);
  return make("span", { class: `chip is-${kindOf(group)}` }, labelOf(group));
}

/**
 * A table: `columns` are `{title, numeric, only}`, `rows` lists of children, the first of which
 * names its row. `only: "wide"` leaves a column out on narrow screens, `kind` is its style.
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

/** A bar that fills a share, from 0 to 1, of its width. It says nothing that is not beside it. */
export function bar(share, kind) {
  const fill = make("div", { class: `fill ${kind}` });
  fill.style.width = `${100 * share}%`;
  return make("div", { class: "track", "aria-hidden": "true" }, fill);
}

/**
 * Puts `children` in the place of what `element` holds. What had the focus has it again: the same
 * link, or what has the same name or the same words.
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
