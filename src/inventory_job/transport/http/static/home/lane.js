// What a chart says of where the pointer is: in a line of its own above it, so as to cover nothing.

import { make } from "./dom.js";

/** The lane, and the options by which Chart.js writes into it; `words` says what, of data points. */
export function laneWith(words) {
  const tip = make("span", { class: "tip" });
  const element = make("p", { class: "lane", "aria-hidden": "true" }, tip);
  const tooltip = {
    enabled: false,
    external({ chart, tooltip: { opacity, dataPoints, caretX } }) {
      tip.textContent = opacity && dataPoints?.length ? words(dataPoints) : "";
      const room = chart.width - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(room, caretX - tip.offsetWidth / 2))}px`;
    },
  };
  return { element, tooltip };
}
