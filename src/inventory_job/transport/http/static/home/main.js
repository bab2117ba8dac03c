// Wires the form to the answers: asks when something changes, on request, and every 30 seconds.

import { JobService } from "./api.js";
import { drawProblems } from "./problems.js";
import { durations, failures, history, running } from "./questions.js";
import { DEFAULT_RANGE, isRange, spanOf } from "./ranges.js";
import {
  drawDurations,
  drawFailures,
  drawHistory,
  drawMissing,
  drawRunning,
  drawSummary,
  drawUpdated,
} from "./view.js";

const EVERY = 30_000;
const TOKEN = "inventory-job.token";

const form = document.getElementById("ask");
const jobs = document.getElementById("jobs");
const [domain, workspace, token, auto] = ["domain", "workspace", "token", "auto"].map((id) =>
  document.getElementById(id),
);

let asking = new AbortController();
let timer;
let redraw = () => {};

/** What is asked for goes into the address, so that it can be kept; the token never does. */
function remember() {
  const kept = new URLSearchParams({ range: form.elements.range.value });
  if (domain.value) kept.set("domain", domain.value.trim());
  if (workspace.value) kept.set("workspace", workspace.value.trim());
  if (auto.checked) kept.set("auto", "1");
  window.history.replaceState(null, "", `#${kept}`);
  sessionStorage.setItem(TOKEN, token.value);
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  domain.value = kept.get("domain") ?? "";
  workspace.value = kept.get("workspace") ?? "";
  auto.checked = kept.get("auto") === "1";
  form.elements.range.value = isRange(kept.get("range")) ? kept.get("range") : DEFAULT_RANGE;
  token.value = sessionStorage.getItem(TOKEN) ?? "";
}

function questions(span, signal) {
  const service = new JobService({
    domain: domain.value.trim(),
    workspace: workspace.value.trim(),
    token: token.value.trim(),
  });
  return {
    history: history(service, span, signal),
    plugins: failures(service, span, "plugin_id", signal),
    collectors: failures(service, span, "collector_id", signal),
    running: running(service, signal),
    durations: durations(service, span, signal),
  };
}

async function refresh() {
  clearTimeout(timer);
  asking.abort();
  const mine = (asking = new AbortController());
  show("loading");
  const now = new Date();
  const span = spanOf(form.elements.range.value, now);
  const { answers, problems } = await settled(span, mine.signal);
  if (mine !== asking) return;
  redraw = () => draw(answers, span, now);
  redraw();
  const none = !Object.keys(answers).length;
  drawProblems(problems, none);
  drawUpdated(none ? null : now);
  show("ready");
  schedule();
}

/** Asks only if it is known for whom; a click on the button asks in any case. */
function refreshIfKnown() {
  if (domain.value.trim() || token.value.trim()) refresh();
  else show("ask");
}

/** The answers by panel, without those that failed, and the problems with these. */
async function settled(span, signal) {
  let asked;
  try {
    asked = questions(span, signal);
  } catch (error) {
    return { answers: {}, problems: [{ error, panel: "" }] };
  }
  const names = Object.keys(asked);
  const outcomes = await Promise.allSettled(Object.values(asked));
  const answers = {};
  const problems = [];
  outcomes.forEach(({ status, value, reason: error }, i) => {
    if (status === "fulfilled") answers[names[i]] = value;
    else problems.push({ error, panel: titleOf(names[i]) });
  });
  return { answers, problems };
}

const titleOf = (id) => document.getElementById(`${id}-title`).textContent;

function draw(answers, span, now) {
  const draws = {
    history: (answer) => drawHistory(answer, span),
    plugins: (answer) => drawFailures("plugins", answer, "Plugin", span),
    collectors: (answer) => drawFailures("collectors", answer, "Collector", span),
    running: (answer) => drawRunning(answer, now),
    durations: (answer) => drawDurations(answer, span),
  };
  drawSummary(answers.history, answers.running, span);
  for (const [id, drawOne] of Object.entries(draws)) {
    if (answers[id]) drawOne(answers[id]);
    else drawMissing(id);
  }
}

function show(state) {
  jobs.dataset.state = state;
  jobs.setAttribute("aria-busy", String(state === "loading"));
}

function schedule() {
  clearTimeout(timer);
  if (auto.checked) timer = setTimeout(() => (document.hidden ? schedule() : refresh()), EVERY);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  remember();
  refresh();
});
form.addEventListener("change", ({ target }) => {
  remember();
  if (target === auto) schedule();
  else refreshIfKnown();
});
window.addEventListener("hashchange", () => {
  recall();
  refreshIfKnown();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
recall();
refreshIfKnown();
