// Buttons that copy a text.

import { make } from "./dom.js";

const SHOWN = 1600;

/** A button `words` that copies `text()` and then says so; `name` is its longer label. */
export function copyButton(words, text, name = words) {
  const button = make("button", { type: "button", class: "plain copy", "aria-label": name }, words);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text())) ? "Copied" : "Not copied";
    setTimeout(() => {
      button.textContent = words;
    }, SHOWN);
  });
  return button;
}

async function copied(text) {
  // Browsers offer the clipboard in secure contexts only: HTTPS and localhost.
  if (!navigator.clipboard) return copiedByHand(text);
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => copiedByHand(text),
  );
}

function copiedByHand(text) {
  const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
