// Shows errors: a sentence, then the code and the message of the server.

import { make } from "./dom.js";

const SENTENCES = {
  INVALID_ARGUMENT: "The server does not understand what this page asks for.",
  NOT_FOUND: "There is no such job, or it is none of yours.",
  UNAUTHENTICATED: "The server does not know who you are.",
  PERMISSION_DENIED: "You may not see or do this.",
  RESOURCE_EXHAUSTED: "The server is busy: retry later. Or the answer is too large: ask for less.",
  DEADLINE_EXCEEDED: "The answer took too long. Narrow the filters, or try again.",
  UNAVAILABLE: "The server or its database cannot be reached. Try again in a moment.",
  INTERNAL: "The server has failed. Its log holds the reason.",
};
const OTHERWISE = "Something went wrong.";

/** What an error means, in a sentence. */
export const sentenceOf = (error) => SENTENCES[error.code] ?? OTHERWISE;

/**
 * Shows problems, `[{error, panel}]`, each distinct error once: its meaning, code, message, and
 * invalid fields. Names the panels concerned, unless `all` failed.
 */
export function drawProblems(problems, all) {
  const groups = Map.groupBy(problems, ({ error }) => `${error.code} ${error.message}`);
  const boxes = [...groups.values()].map((group) => {
    const panels = group.map(({ panel }) => panel).join(", ");
    return problem(group[0].error, all ? "" : panels);
  });
  document.getElementById("problems").replaceChildren(...boxes);
}

/** An error as a box; `about` names the panels concerned, or is empty. */
export function problem(error, about = "") {
  return make(
    "div",
    { class: "problem" },
    make("p", {}, make("strong", {}, sentenceOf(error)), about && ` · ${about}`),
    make("p", {}, make("b", {}, error.code ?? "INTERNAL"), ` ${error.message}`),
    ...(error.fields ?? []).map((field) => line(field, error.message)),
  );
}

function line({ field = "", description = "" }, message) {
  const rest = description === message ? "" : `: ${description}`;
  return make("p", { class: "aside" }, "field ", make("code", {}, field), rest);
}
