// Says what went wrong.

import { make } from "./dom.js";

/**
 * Shows problems, `[{error, panel}]`, the same error once: its code, its message, and the fields at
 * fault. The panels are named unless `all` of them failed.
 */
export function drawProblems(problems, all) {
  const groups = Map.groupBy(problems, ({ error }) => `${error.code} ${error.message}`);
  const boxes = [...groups.values()].map((group) => {
    const [{ error }] = group;
    const panels = group.map(({ panel }) => panel).join(", ");
    return make(
      "div",
      { class: "problem" },
      make("p", {}, make("strong", {}, error.code ?? "INTERNAL"), all ? "" : ` · ${panels}`),
      make("p", {}, error.message),
      ...(error.fields ?? []).map((field) => line(field, error.message)),
    );
  });
  document.getElementById("problems").replaceChildren(...boxes);
}

function line({ field = "", description = "" }, message) {
  const rest = description === message ? "" : `: ${description}`;
  return make("p", { class: "aside" }, "field ", make("code", {}, field), rest);
}
