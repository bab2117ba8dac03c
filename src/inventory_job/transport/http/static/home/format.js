// Numbers, moments and durations in readable form.

const WHOLE = new Intl.NumberFormat("en");
const PERCENT = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const STAMP = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

export const whole = (number) => WHOLE.format(number);
export const percent = (share) => PERCENT.format(share);
export const moment = (date) => MOMENT.format(date);
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const clock = (date) => CLOCK.format(date);
export const utc = (date) => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** A moment in local time for a table, without its year if that is the current one. */
export function stamp(date, now) {
  const year = date.getFullYear();
  return year === now.getFullYear() ? STAMP.format(date) : `${STAMP.format(date)} ${year}`;
}

/** "1 job", "2,000 jobs". */
export const counted = (number, one, many = `${one}s`) =>
  `${whole(number)} ${number === 1 ? one : many}`;

/** A duration in seconds, in its two largest units. */
export function duration(seconds) {
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const units = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const rounded = seconds < 3600 ? Math.round(seconds) : Math.round(seconds / 60) * 60;
  const at = units.findIndex(([size]) => rounded >= size);
  const [[size, unit], smaller] = [units[at], units[at + 1]];
  const rest = smaller ? Math.floor((rounded % size) / smaller[0]) : 0;
  return `${Math.floor(rounded / size)} ${unit}${rest ? ` ${rest} ${smaller[1]}` : ""}`;
}

/** How long ago a moment is, in its largest unit. */
export function age(date, now) {
  const seconds = Math.max(0, (now - date) / 1000);
  const [size, unit] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}
