// Failures by plugin, and by collector.

import { jobsLink } from "./address.js";
import { bar, link, make, table } from "./dom.js";
import { percent } from "./format.js";
import { fill, fillEmpty, linked } from "./panels.js";

const TITLES = { plugins: "Plugin", collectors: "Collector" };
const FILTERS = { plugins: "plugin", collectors: "collector" };

/** Draws `questions.failures` into the panel `id`, plugins or collectors. */
export function drawFailures(id, { rows, more }, { state, within, span }) {
  if (!rows.length) {
    fillEmpty(id, `No failures in the last ${span.label}.`);
    return;
  }
  const most = rows[0].failures;
  const body = rows.map(({ name, plugins, jobs, failures }) => {
    const all = jobsLink(state, { ...within, [FILTERS[id]]: name ?? "" });
    const failed = jobsLink(state, { ...within, [FILTERS[id]]: name ?? "", status: ["FAILURE"] });
    const rate = make("data", { value: failures / jobs }, percent(failures / jobs));
    const aside = plugins.toSorted().join(", ");
    const parts = [
      make("span", { class: "name" }, name ?? "none"),
      ...(id === "collectors" ? [make("span", { class: "aside" }, aside)] : []),
      bar(failures / most, "failure"),
    ];
    return [
      link(failed, make("span", { class: "named" }, ...parts), { class: "row" }),
      linked(failed, failures),
      linked(all, jobs),
      link(failed, rate),
    ];
  });
  const columns = [
    { title: TITLES[id] },
    { title: "Failures", numeric: true },
    { title: "Jobs", numeric: true, only: "wide" },
    { title: "Rate", numeric: true },
  ];
  const note = more ? `the ${rows.length} with most` : "";
  fill(id, note, table(`Failures by ${TITLES[id].toLowerCase()}`, columns, body));
}
