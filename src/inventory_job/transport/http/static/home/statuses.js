// The statuses of jobs, as the page groups and names them.

// Older jobs have ERROR or TIMEOUT; `list` returns them as FAILURE.
export const FAILED = ["FAILURE", "ERROR", "TIMEOUT"];

/** The statuses, from the bottom of a stack to its top. */
export const STATUSES = [
  { id: "FAILURE", label: "Failure" },
  { id: "CANCELED", label: "Canceled" },
  { id: "IN_PROGRESS", label: "In progress" },
  { id: "SUCCESS", label: "Success" },
  { id: "OTHER", label: "Other" },
];

const LABELS = new Map(STATUSES.map(({ id, label }) => [id, label]));
const STORED = [...FAILED, "CANCELED", "IN_PROGRESS", "SUCCESS"];

/** The group that a stored status belongs to. */
export function groupOf(status) {
  if (FAILED.includes(status)) return "FAILURE";
  return LABELS.has(status) ? status : "OTHER";
}

export const isStatus = (id) => LABELS.has(id);
export const labelOf = (id) => LABELS.get(id);

/** The name of a group in class names and colours of style sheets. */
export const kindOf = (id) => id.toLowerCase().replace("_", "-");

/** The conditions of jobs in one of `groups`; none if that is empty or has all groups. */
export function statusConditions(groups) {
  if (!groups.length || groups.length === STATUSES.length) return [];
  const stored = (ids) => ids.flatMap((id) => (id === "FAILURE" ? FAILED : [id]));
  if (!groups.includes("OTHER")) {
    return [{ key: "status", operator: "in", value: stored(groups) }];
  }
  const shown = stored(groups);
  const others = STORED.filter((status) => !shown.includes(status));
  return [{ key: "status", operator: "not_in", value: others }];
}
