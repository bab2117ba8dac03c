// Shows the view of the address: on a new address, on request, and every 30 seconds.

import { EMPTY, changed, jobsLink, overviewLink, stateOf } from "./address.js";
import { loading } from "./api.js";
import * as filters from "./filter_form.js";
import { clock, zone } from "./format.js";
import * as notices from "./notices.js";
import { Places } from "./places.js";
import { drawProblems } from "./problems.js";
import * as session from "./session.js";

const EVERY = 30_000;
// Modules, imported when their view is first shown.
const VIEWS = {
  overview: () => import("./overview.js"),
  jobs: () => import("./jobs.js"),
  job: () => import("./job.js"),
};
const TITLES = {
  overview: () => "Inventory jobs",
  jobs: () => "Jobs · Inventory jobs",
  job: ({ job }) => `${job} · Inventory jobs`,
};

const page = document.getElementById("page");
const form = document.getElementById("session");
const auto = document.getElementById("auto");
const places = new Places();

let state = stateOf(location);
let asking = new AbortController();
let timer;
let caller;
const loaded = new Map();

/** Reads the state from the address, and updates all of the page but the view. */
function follow() {
  state = stateOf(location);
  session.recall(state);
  filters.recall(state);
  auto.checked = state.auto;
  page.dataset.view = state.view;
  notices.turn();
  for (const [name, href] of [
    ["overview", overviewLink(state)],
    ["jobs", jobsLink(state, { workspace: state.workspace })],
  ]) {
    const tab = document.getElementById(`to-${name}`);
    tab.setAttribute("href", href);
    if (state.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.title = TITLES[state.view](state);
}

/** Loads and draws the view of the state; true once done, false if a later refresh replaced it. */
async function refresh() {
  clearTimeout(timer);
  asking.abort();
  const mine = (asking = new AbortController());
  forgetOther();
  show("loading");
  const now = new Date();
  const { signal } = mine;
  let problems;
  try {
    const asked = state;
    const service = session.serviceOf(asked);
    const view = await loading(VIEWS[asked.view]());
    loaded.set(asked.view, view);
    if (signal.aborted) return false;
    problems = await view.show({ state: asked, service, now, signal });
  } catch (error) {
    problems = [{ error, panel: "", all: true }];
  }
  if (signal.aborted) return false;
  conclude(problems, now);
  schedule();
  return true;
}

function conclude(problems, now) {
  if (problems.some(({ error }) => error.code === "UNAUTHENTICATED")) {
    document.getElementById("refusal").textContent = session.refusal();
    show("refused");
    session.askForToken();
    return;
  }
  const all = problems.some((problem) => problem.all);
  drawProblems(problems, all);
  document.getElementById("updated").textContent = all ? "" : `Updated at ${clock(now)} (${zone()})`;
  show(all ? "failed" : "ready");
}

/** Clears all views when the caller has changed. */
function forgetOther() {
  const now = session.callerOf(state);
  if (caller !== undefined && caller !== now) {
    for (const view of loaded.values()) view.clear();
    forgetSuggestions();
  }
  caller = now;
}

/** Refreshes if there is a domain or a token; the button refreshes in any case. */
async function refreshIfKnown() {
  if (session.isKnown(state)) return refresh();
  asking.abort();
  show("ask");
  return true;
}

function show(what) {
  page.dataset.state = what;
  page.setAttribute("aria-busy", String(what === "loading"));
}

function schedule() {
  clearTimeout(timer);
  if (auto.checked) timer = setTimeout(() => (document.hidden ? schedule() : refresh()), EVERY);
}

const isHere = (href) => href === (location.hash || EMPTY);

/** Goes to a fragment; refreshes if the page is there already. */
function go(href) {
  if (!isHere(href)) location.hash = href;
  // If they differ, a hashchange event is pending, which refreshes.
  else if (changed(state, { page: state.page }) === href) refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(changed(state, { ...session.given(), page: state.page }));
});
form.addEventListener("change", ({ target }) => {
  if (target === auto) {
    // The switch makes no new entry in the history.
    history.replaceState(history.state, "", changed(state, { auto: auto.checked, page: state.page }));
    follow();
    schedule();
  } else {
    const href = changed(state, session.given());
    if (isHere(href)) refreshIfKnown();
    else go(href);
  }
});
// From the address, not `state`: a second choice may come before the hashchange event.
filters.onChoice((changes) => go(changed(stateOf(location), changes)));
const forgetSuggestions = filters.suggestWith(() => session.serviceOf(state));
window.addEventListener("hashchange", async () => {
  const place = places.entered();
  follow();
  places.restoreAtOnce(place);
  if (await refreshIfKnown()) places.restore(place);
});
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("select, textarea, input:not([type=checkbox], [type=radio])");
  if (event.key !== "/" || writes || state.view !== "jobs") return;
  event.preventDefault();
  filters.search();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  loaded.get("overview")?.redraw();
});

if (location.search) {
  // Moves the state from the query string into the fragment.
  history.replaceState(history.state, "", `${location.pathname}${changed(state, { page: state.page })}`);
}
follow();
session.greet(state);
refreshIfKnown();
