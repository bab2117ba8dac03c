// The time ranges of the overview, divided into hours or days.

const HOUR = 3600e3;
const DAY = 24 * HOUR;
const HOURS = {
  unit: "hour",
  size: HOUR,
  // The key of an hour, as a format of MongoDB and as this page computes it.
  pattern: "%Y-%m-%dT%H:00:00Z",
  key: (start) => `${start.toISOString().slice(0, 13)}:00:00Z`,
  zone: undefined,
  tick: { hour: "2-digit", minute: "2-digit" },
  name: {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  },
};
// MongoDB divides days in UTC, so their names are in UTC, too.
const DAYS = {
  unit: "day",
  size: DAY,
  pattern: "%Y-%m-%d",
  key: (start) => start.toISOString().slice(0, 10),
  zone: "UTC",
  tick: { day: "numeric", month: "short" },
  name: {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZoneName: "short",
  },
};
const RANGES = {
  "24h": { cut: HOURS, count: 24, label: "24 hours" },
  "7d": { cut: DAYS, count: 7, label: "7 days" },
  "30d": { cut: DAYS, count: 30, label: "30 days" },
  "90d": { cut: DAYS, count: 90, label: "90 days" },
};

export const DEFAULT_RANGE = "30d";
export const rangeLabel = (name) => RANGES[name].label;
export const isRange = (name) => Object.hasOwn(RANGES, name);

/**
 * The last hours or days of a range, up to the end of the one that `now` is in.
 * `conditions` select the jobs created in it. Every interval has the `key` that a stat grouped by
 * `pattern` returns for it, a short name for an axis (`tick`) and a long one.
 */
export function spanOf(name, now) {
  const { cut, count, label } = RANGES[name];
  const end = (Math.floor(now / cut.size) + 1) * cut.size;
  const tick = new Intl.DateTimeFormat("en-GB", { ...cut.tick, timeZone: cut.zone });
  const long = new Intl.DateTimeFormat("en-GB", { ...cut.name, timeZone: cut.zone });
  const intervals = Array.from({ length: count }, (_, i) => {
    const start = new Date(end - (count - i) * cut.size);
    const stop = new Date(start.getTime() + cut.size);
    return { key: cut.key(start), start, stop, tick: tick.format(start), name: long.format(start) };
  });
  return {
    label,
    unit: cut.unit,
    pattern: cut.pattern,
    intervals,
    conditions: [
      { key: "created_at", operator: "datetime_gte", value: intervals[0].start.toISOString() },
      { key: "created_at", operator: "datetime_lt", value: new Date(end).toISOString() },
    ],
  };
}
