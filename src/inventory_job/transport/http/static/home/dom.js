// Elements made of plain values. What a job says becomes text, never markup.

import { age, duration, moment, utc, whole } from "./format.js";

/** An element with attributes and children; texts and numbers become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A number as people read it, and as it is. */
export const count = (value) => make("data", { value }, whole(value));

/** Seconds as people read them, and as they are. */
export const seconds = (value) => make("data", { value, title: `${value} s` }, duration(value));

/** How long ago a moment was; its title says when, here and in UTC. */
export function ago(text, now) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text || "–";
  return make("time", { datetime: text, title: `${moment(date)} (${utc(date)})` }, age(date, now));
}

/**
 * A table: `columns` are `{title, numeric, only}`, `rows` lists of children, the first of which
 * names its row. `only: "wide"` leaves a column out on narrow screens.
 */
export function table(caption, columns, rows) {
  const kind = ({ numeric, only }) => [numeric && "numeric", only].filter(Boolean).join(" ");
  const head = columns.map((column) =>
    make("th", { scope: "col", class: kind(column) }, column.title),
  );
  const body = rows.map((cells) => {
    const parts = cells.map((cell, i) =>
      make(i ? "td" : "th", i ? { class: kind(columns[i]) } : { scope: "row" }, cell),
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

/** A bar that fills a share, from 0 to 1, of its width. It says nothing that is not beside it. */
export function bar(share, kind) {
  const fill = make("div", { class: `fill ${kind}` });
  fill.style.width = `${100 * share}%`;
  return make("div", { class: "track", "aria-hidden": "true" }, fill);
}
