// What the server says of the page: charts, words, colours; and how numbers and times are written.

export const page = JSON.parse(document.getElementById("catalogue").textContent);

const whole = new Intl.NumberFormat(page.language, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(page.language, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const short = new Intl.NumberFormat(page.language, {
  notation: "compact",
  maximumSignificantDigits: 4,
});
const share = new Intl.NumberFormat(page.language, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const clock = new Intl.DateTimeFormat(page.language, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const dated = new Intl.DateTimeFormat(page.language, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

const NOTHING = "–";

export function text(name, ...parts) {
  return parts.reduce((whole, part) => whole.replace("{}", part), page.words.page[name]);
}

export function name(key) {
  return page.words.names[key] ?? key;
}

export function region(code) {
  return page.words.states[code] ?? code;
}

export function number(value) {
  if (value === null || value === undefined) return NOTHING;
  return value >= 10_000_000 ? short.format(value) : whole.format(value);
}

export function percent(value) {
  return value === null || value === undefined ? NOTHING : share.format(value);
}

// Points of a percent, with a sign: a difference of two shares.
export function points(value) {
  if (value === null || value === undefined) return NOTHING;
  const sign = value > 0 ? "+" : value < 0 ? "−" : "";
  return `${sign}${tenth.format(Math.abs(value * 100))}\u00a0${page.words.units.percent_point}`;
}

// A time of today by the clock, one of another day with its date; from ms or RFC 3339.
export function time(moment) {
  if (moment === null || moment === undefined) return NOTHING;
  const at = new Date(moment);
  const today = at.toDateString() === new Date().toDateString();
  return (today ? clock : dated).format(at);
}

export function bucket(milliseconds) {
  const minutes = milliseconds / 60_000;
  const length = minutes < 60 ? text("minutes", minutes) : text("hours", minutes / 60);
  return text("bucket", length);
}

// A value of a chart as the catalogue says that it is written.
export function figure(chart, key, value) {
  const format = chart.values[key];
  if (format === "percent") return percent(value);
  if (format === "time") return time(value);
  if (chart.ops[key] === "ratio" && value !== null) return tenth.format(value);
  return number(value);
}
