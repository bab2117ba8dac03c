// Whose jobs are shown: the domain, kept in the address, and the token, which never is.

import { JobService, entrance } from "./api.js";
import { fragment } from "./address.js";
import { link, make } from "./dom.js";
import { clock } from "./format.js";

const TOKEN = "inventory-job.token";

const form = document.getElementById("session");
const [domain, token] = ["domain", "token"].map((id) => document.getElementById(id));
const welcome = document.getElementById("welcome");

/** Shows the domain of a state, and the token of this tab. */
export function recall(state) {
  domain.value = state.domain ?? "";
  token.value = current();
}

/** The domain in the form, as changes to a state; keeps its token in the session storage. */
export function given() {
  sessionStorage.setItem(TOKEN, token.value.trim());
  return { domain: domain.value.trim() || null };
}

/** The submitted token, not what is being typed. */
const current = () => sessionStorage.getItem(TOKEN) ?? "";

/** Whether there is a domain or a token to ask with. */
export const isKnown = (state) => Boolean(state.domain || current());

/** A text that identifies the caller. */
export const callerOf = (state) => JSON.stringify([state.domain, current()]);

/** The Job service for this caller; throws CallFailed for characters no header can have. */
export const serviceOf = (state) =>
  new JobService({ domain: state.domain ?? "", token: current() });

/** Fits the form to the auth mode of the server; offers the domain to start with, if any. */
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

/** Why the server refuses the caller, and what to do. */
export function refusal() {
  const ended = expiry(current());
  if (!current()) return "This server asks for a token. Paste yours above to go on.";
  if (ended && ended < new Date()) {
    const day = ended.toDateString() === new Date().toDateString() ? "" : ` on ${ended.toDateString()}`;
    return `Your session has run out at ${clock(ended)}${day}. Paste a new token above to go on.`;
  }
  return "The server does not accept this token any more. Paste another one above to go on.";
}

/** When a token expires, by its `exp` claim; null without one. */
function expiry(text) {
  try {
    const claims = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(claims));
    return Number.isFinite(exp) ? new Date(exp * 1000) : null;
  } catch {
    return null;
  }
}

/** Moves the focus to the field of the token, unless it is in that of the domain. */
export function askForToken() {
  if (document.activeElement !== domain) token.focus({ preventScroll: true });
}
