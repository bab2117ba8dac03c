// Whose jobs are shown: the domain, which the address has, and the token, which it never has.

import { JobService, entrance } from "./api.js";
import { fragment } from "./address.js";
import { link, make } from "./dom.js";
import { clock } from "./format.js";

const TOKEN = "inventory-job.token";

const form = document.getElementById("session");
const [domain, token] = ["domain", "token"].map((id) => document.getElementById(id));
const welcome = document.getElementById("welcome");

/** Shows the domain of a state, and the token that this tab has been given. */
export function recall(state) {
  domain.value = state.domain ?? "";
  token.value = current();
}

/** What the form says: `{domain}`, to be put into a state. The token is kept for this tab. */
export function given() {
  sessionStorage.setItem(TOKEN, token.value.trim());
  return { domain: domain.value.trim() || null };
}

/** The token that was given: not what is being typed. */
const current = () => sessionStorage.getItem(TOKEN) ?? "";

/** Whether it is known whose jobs to ask for. */
export const isKnown = (state) => Boolean(state.domain || current());

/** Who asks, as a text that differs for another caller. */
export const callerOf = (state) => JSON.stringify([state.domain, current()]);

/** The Job service for this caller; throws CallFailed for what no header can hold. */
export const serviceOf = (state) =>
  new JobService({ domain: state.domain ?? "", token: current() });

/** Fits the form to how the server authenticates; offers a domain to begin with, if it names one. */
export async function greet(state) {
  const { auth_mode: mode, domain: offered } = await entrance().catch(() => ({}));
  if (mode) form.dataset.mode = mode;
  if (mode) {
    const isTrusting = mode === "none";
    welcome.textContent = isTrusting
      ? "Enter the id of a domain above to see its jobs."
      : "This server asks for a token. Paste yours above to see your jobs.";
  }
  if (offered) {
    const href = fragment({ ...state, domain: offered });
    welcome.append(make("span", { class: "offer" }, link(href, `Show the jobs of ${offered}`)));
  }
}

/** Why the server does not take the caller, in a sentence, and what to do. */
export function refusal() {
  const ended = expiry(current());
  if (!current()) return "This server asks for a token. Paste yours above to go on.";
  if (ended && ended < new Date()) {
    const day = ended.toDateString() === new Date().toDateString() ? "" : ` on ${ended.toDateString()}`;
    return `Your session has run out at ${clock(ended)}${day}. Paste a new token above to go on.`;
  }
  return "The server does not accept this token any more. Paste another one above to go on.";
}

/** When a token ends, by what it says itself; null if it does not. */
function expiry(text) {
  try {
    const claims = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(claims));
    return Number.isFinite(exp) ? new Date(exp * 1000) : null;
  } catch {
    return null;
  }
}

/** The keyboard goes to where a new token is to be put, unless it is writing elsewhere. */
export function askForToken() {
  if (document.activeElement !== domain) token.focus({ preventScroll: true });
}
