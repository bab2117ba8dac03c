// The form of filters: shows those of the state, and reports what the user chooses.

import { make } from "./dom.js";
import { DEFAULT_RANGE } from "./ranges.js";

const form = document.getElementById("filters");
const TEXTS = ["q", "plugin", "collector", "workspace"];
const KEYS = { plugin: "plugin_id", collector: "collector_id", workspace: "workspace_id" };
const MOMENTS = ["from", "to"];
const MOST_SUGGESTED = 500;
const controls = form.elements;

let shown = {};
// Whether the user has chosen a custom range, maybe without times as yet.
let isCustom = false;

/** Shows the filters of a state. */
export function recall(state) {
  shown = state;
  for (const name of TEXTS) {
    controls[name].value = state[name] ?? "";
    controls[name].placeholder = state[name] === "" ? "none" : hints[name];
  }
  const overview = state.view === "overview";
  if (state.range || state.from || state.to || state.view !== "jobs") isCustom = false;
  const custom = state.from || state.to || isCustom ? "custom" : "all";
  controls.range.value = state.range ?? (overview ? DEFAULT_RANGE : custom);
  for (const box of controls.status) box.checked = state.status.includes(box.value);
  for (const name of MOMENTS) controls[name].value = local(state[name]);
  showCustom();
}

const hints = Object.fromEntries(TEXTS.map((name) => [name, controls[name].placeholder]));

/** Calls `choose` with the changes to the state for each choice in the form. */
export function onChoice(choose) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const texts = TEXTS.map((name) => [name, text(name)]);
    choose({ ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)), ...times() });
  });
  // Not on `change`: typing a year fires it for each digit.
  form.addEventListener("focusout", ({ target }) => {
    if (MOMENTS.includes(target.name) && Object.keys(times()).length) choose(times());
  });
  form.addEventListener("change", ({ target }) => {
    const changes = changesBy(target);
    if (changes) choose(changes);
  });
}

/** Suggests stored values when a field gets the focus, asking `service()`. Returns a reset. */
export function suggestWith(service) {
  const asked = new Set();
  form.addEventListener("focusin", async ({ target }) => {
    const key = KEYS[target.name];
    if (!key || asked.has(key)) return;
    asked.add(key);
    try {
      const query = { distinct: key, page: { limit: MOST_SUGGESTED } };
      const { results = [] } = await service().call("stat", query);
      const options = results.filter(Boolean).map((value) => make("option", { value }));
      document.getElementById(target.getAttribute("list")).replaceChildren(...options);
    } catch {
      // The field works without suggestions; the next focus asks again.
      asked.delete(key);
    }
  });
  return () => {
    asked.clear();
    for (const list of form.querySelectorAll("datalist")) list.replaceChildren();
  };
}

/** Moves the focus to the search field. */
export const search = () => controls.q.focus();

function changesBy({ name }) {
  if (TEXTS.includes(name)) return { [name]: text(name) };
  if (name === "status") {
    return { status: [...controls.status].filter((box) => box.checked).map((box) => box.value) };
  }
  if (name === "range") return ranged();
  return null;
}

/** The changes by the choice of a range; null for a custom one, whose times are still to come. */
function ranged() {
  const { value } = controls.range;
  isCustom = value === "custom";
  showCustom();
  if (isCustom) return null;
  return { range: value === "all" ? null : value, from: null, to: null };
}

function showCustom() {
  form.dataset.custom = String(controls.range.value === "custom");
}

/** The text of a field, or null; undefined if it selects jobs without a value and is unchanged. */
function text(name) {
  const value = controls[name].value.trim();
  if (!value && controls[name].placeholder === "none") return undefined;
  return value || null;
}

/** The changes by the times from and to; none if they are those of the state. */
function times() {
  const same = MOMENTS.every((name) => controls[name].value === local(shown[name]));
  return same ? {} : { range: null, from: moment("from"), to: moment("to") };
}

function moment(name) {
  const date = new Date(controls[name].value);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** A moment as the value of a datetime-local input: in local time, to the minute. */
function local(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
