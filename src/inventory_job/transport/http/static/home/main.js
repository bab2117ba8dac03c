// Shows what the address asks for: on a new address, on request, and every 30 seconds.

import { EMPTY, changed, jobsLink, overviewLink, stateOf } from "./address.js";
import { loading } from "./api.js";
import * as filters from "./filter_form.js";
import { clock, zone } from "./format.js";
import * as notices from "./notices.js";
import { Places } from "./places.js";
import { drawProblems } from "./problems.js";
import * as session from "./session.js";

const EVERY = 30_000;
// Each is loaded when it is first shown.
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

/** Fits everything but the answers to the address. */
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

/** Asks for what the address says and draws it; true once it is there. */
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

/** What was shown to one caller is not left there for another. */
function forgetOther() {
  const now = session.callerOf(state);
  if (caller !== undefined && caller !== now) {
    for (const view of loaded.values()) view.clear();
    forgetSuggestions();
  }
  caller = now;
}

/** Asks only if it is known for whom; a click on the button asks in any case. */
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

/** Goes to a fragment; asks again where that is the address already. */
function go(href) {
  if (!isHere(href)) location.hash = href;
  // Else a change of address may be on its way, which asks by itself.
  else if (changed(state, { page: state.page }) === href) refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(changed(state, { ...session.given(), page: state.page }));
});
form.addEventListener("change", ({ target }) => {
  if (target === auto) {
    // A switch is nothing to go back from.
    history.replaceState(history.state, "", changed(state, { auto: auto.checked, page: state.page }));
    follow();
    schedule();
  } else {
    const href = changed(state, session.given());
    if (isHere(href)) refreshIfKnown();
    else go(href);
  }
});
// Of the address, not of what is shown: two choices may come before the page has followed.
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
  // The fragment is what changes from now on.
  history.replaceState(history.state, "", `${location.pathname}${changed(state, { page: state.page })}`);
}
follow();
session.greet(state);
refreshIfKnown();
