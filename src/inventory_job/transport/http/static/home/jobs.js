// The view of the jobs that meet some filters, page by page.

import { SIZES, changed, fragment } from "./address.js";
import { link, make, refill } from "./dom.js";
import { csv, save } from "./export.js";
import { filtersOf, queryOf, unfiltered } from "./filters.js";
import { counted, whole } from "./format.js";
import { FIELDS, jobsTable } from "./jobs_table.js";

const list = document.getElementById("list");
const body = list.querySelector(".body");
const found = list.querySelector(".found");
const chips = list.querySelector(".chips");
const pager = list.querySelector(".pager");
const tools = list.querySelector(".tools");

let shown = [];

/** Gets the page of jobs that `state` asks for and draws it. Throws as JobService. */
export async function show({ state, service, now, signal }) {
  drawFilters(state);
  const query = {
    ...queryOf(state, now),
    only: FIELDS,
    sort: [{ key: state.sort.replace(/^-/, ""), desc: state.sort.startsWith("-") }],
    page: { start: 1 + (state.page - 1) * state.size, limit: state.size },
  };
  const { results = [], total_count: total = 0 } = await service.call("list", query, signal);
  shown = results;
  found.textContent = counted(total, "job");
  tools.hidden = !results.length;
  refill(body, results.length ? jobsTable(results, state, now) : nothing(state, total));
  drawPager(state, total);
  return [];
}

/** Clears the view, for example for another caller. */
export function clear() {
  shown = [];
  found.textContent = "";
  tools.hidden = true;
  body.replaceChildren();
  pager.replaceChildren();
}

function drawFilters(state) {
  const filters = filtersOf(state);
  const items = filters.map(({ name, text, without }) => {
    const drop = link(changed(state, without), "×", { "aria-label": `Drop ${name} ${text}` });
    return make("li", {}, make("span", { class: "aside" }, name), ` ${text} `, drop);
  });
  if (filters.length > 1) {
    items.push(make("li", { class: "all" }, link(changed(state, unfiltered), "Drop all")));
  }
  refill(chips, ...items);
}

function nothing(state, total) {
  if (total) {
    return empty("This page is beyond the last job.", changed(state, {}), "Go to the first page");
  }
  if (filtersOf(state).length) {
    return empty("No job meets these filters.", changed(state, unfiltered), "Drop all filters");
  }
  return empty("There are no jobs.");
}

function empty(text, href, label) {
  const more = href ? [" ", link(href, label)] : [];
  return make("p", { class: "empty" }, text, ...more);
}

function drawPager(state, total) {
  if (!shown.length) {
    pager.replaceChildren();
    return;
  }
  const start = 1 + (state.page - 1) * state.size;
  const last = Math.ceil(total / state.size);
  const range = `${whole(start)}–${whole(start + shown.length - 1)} of ${whole(total)}`;
  const to = (page, text, label) =>
    page >= 1 && page <= last && page !== state.page
      ? link(fragment({ ...state, page }), text, { "aria-label": label, class: "step" })
      : make("span", { class: "step off", "aria-hidden": "true" }, text);
  refill(
    pager,
    sizes(state),
    make("span", { class: "range" }, range),
    make(
      "span",
      { class: "steps" },
      to(1, "«", "First page"),
      to(state.page - 1, "‹ Previous", "Previous page"),
      to(state.page + 1, "Next ›", "Next page"),
      to(last, "»", "Last page"),
    ),
  );
}

function sizes(state) {
  const options = SIZES.map((size) => make("option", { value: size }, whole(size)));
  const select = make("select", { name: "size" }, ...options);
  select.value = state.size;
  select.addEventListener("change", () => {
    location.hash = changed(state, { size: Number(select.value) });
  });
  return make("label", { class: "sizes" }, "Rows ", select);
}

tools.querySelector(".csv").addEventListener("click", () => {
  save("jobs.csv", "text/csv", csv(FIELDS, shown));
});
tools.querySelector(".json").addEventListener("click", () => {
  save("jobs.json", "application/json", `${JSON.stringify(shown, null, 2)}\n`);
});
