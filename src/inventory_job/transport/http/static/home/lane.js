// The tooltip of a chart, in a line of its own above it, so that it covers no data.

import { make } from "./dom.js";

/** The line, and the tooltip options of Chart.js that fill it with `words(dataPoints)`. */
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
