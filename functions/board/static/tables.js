// The cards that are HTML: tiles, rankings, tables, lists and figures.

import { figure, name, number, page, percent, points, region, text, time } from "./words.js";

const MINOR = ["latest", "distinct_tracks"]; // left out where the screen is narrow
const DAY_PARTS = ["morning", "afternoon", "evening", "night"];

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "onclick") element.addEventListener("click", value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A bar of a share of its cell, from 0 to 1.
function bar(share, kind = "") {
  const element = make("i", { class: `bar ${kind}`, "aria-hidden": "true" });
  element.style.setProperty("--share", Math.max(0, Math.min(1, share || 0)));
  return element;
}

// A figure beside its bar; the bars of a column begin at one place.
function barred(share, figure, kind = "") {
  return make("span", { class: "barred" }, bar(share, kind), make("span", {}, figure));
}

export function tile(chart, [row], { note }) {
  const [key] = Object.keys(chart.values);
  const { value, text: words } = chart.aside;
  const aside = note || (row[value] === null ? "" : words.replace("{}", figure(chart, value, row[value])));
  return [
    make("p", { class: "figure" }, figure(chart, key, row[key])),
    make("p", { class: "aside", title: aside }, aside),
  ];
}

function track(row) {
  const title = row.title ?? `#${row.track}`;
  return make(
    "span",
    { class: "named" },
    make("b", { title }, title),
    row.artist ? make("small", {}, row.artist) : null,
  );
}

function change(row, key) {
  if (!row.before) return make("span", { class: "change new" }, text("new"));
  const share = row[key] / row.before - 1;
  const kind = Math.abs(share) < 0.005 ? "same" : share > 0 ? "up" : "down";
  const mark = { same: "=", up: "▲", down: "▼" }[kind];
  const label = `${mark} ${percent(Math.abs(share)).replace(/[.,]\d(?=\D*$)/, "")}`;
  const title = `${name("before")}: ${number(row.before)}`;
  return make("span", { class: `change ${kind}`, title }, label);
}

export function ranking(chart, rows, { compared }) {
  const [group] = chart.by;
  const [key] = Object.keys(chart.values);
  const most = Math.max(...rows.map((row) => row[key]));
  const items = rows.map((row) =>
    make(
      "li",
      {},
      group === "track"
        ? track(row)
        : make("span", { class: "named" }, make("b", { title: row[group] }, name(row[group]))),
      bar(row[key] / most),
      make("span", { class: "number" }, number(row[key])),
      compared ? change(row, key) : null,
    ),
  );
  return [make("ol", { class: compared ? "ranking" : "ranking alone" }, ...items)];
}

function dayParts(row) {
  const shares = { ...row, night: 1 - row.morning - row.afternoon - row.evening };
  const [most] = DAY_PARTS.toSorted((a, b) => shares[b] - shares[a]);
  const told = DAY_PARTS.map((part) => `${name(part)} ${percent(shares[part])}`).join(", ");
  const strip = make("span", { class: "strip", role: "img", "aria-label": told, title: told });
  for (const part of DAY_PARTS) {
    const piece = make("i", { class: part });
    piece.style.setProperty("--share", Math.max(0, shares[part]));
    strip.append(piece);
  }
  return make("span", { class: "parts" }, strip, make("small", {}, name(most)));
}

// The columns of a table: a heading, a class and the content of a row's cell.
function columns(chart, rows, onDrill) {
  const found = [];
  const parts = "morning" in chart.values;
  for (const group of chart.by) {
    if (group === "track") found.push({ head: name("track"), cell: track });
    else if (group === "state") found.push({ head: name("state"), cell: (row) => place(row, onDrill) });
    else found.push({ head: name(group), cell: (row) => wrappable(name(row[group])) });
  }
  for (const [key, format] of Object.entries(chart.values)) {
    if (key === "track_is") continue;
    if (parts && DAY_PARTS.includes(key)) {
      if (key === "morning") found.push({ head: name("day_parts"), cell: dayParts });
      continue;
    }
    const kind = MINOR.includes(key) ? "number minor" : "number";
    found.push({ head: name(key), kind, cell: valueCell(chart, rows, key, format) });
  }
  return found;
}

function valueCell(chart, rows, key, format) {
  const first = Object.keys(chart.values).find((value) => value !== "track_is");
  if (key === first) {
    const most = Math.max(...rows.map((row) => row[key]));
    return (row) => barred(row[key] / most, number(row[key]));
  }
  if (format === "percent" && chart.ops[key] === "share") {
    return (row) => barred(row[key], percent(row[key]), key);
  }
  return (row) => figure(chart, key, row[key]);
}

function place(row, onDrill) {
  const label = region(row.state);
  const code = make("small", {}, row.state);
  if (!onDrill) return make("span", { class: "place" }, label, code);
  return make(
    "button",
    {
      type: "button",
      class: "place",
      "data-key": row.state,
      "aria-label": text("show_customers", label),
      title: text("show_customers", label),
      onclick: () => onDrill(row.state),
    },
    label,
    code,
  );
}

// A name such as ADV_FAMILY_PLAN, which may go on in a second line behind a low line.
function wrappable(words) {
  const parts = words.split(/(?<=_)/).flatMap((part) => [make("wbr"), part]);
  return make("span", {}, ...parts.slice(1));
}

function tableOf(heads, rows, label) {
  const header = make("tr", {}, ...heads.map(({ head, kind }) => make("th", { class: kind, scope: "col" }, head)));
  const body = rows.map((row) =>
    make("tr", {}, ...heads.map(({ kind, cell }) => make("td", { class: kind }, cell(row)))),
  );
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    make("table", {}, make("thead", {}, header), make("tbody", {}, ...body)),
  );
}

export function table(chart, rows, { title, drill }) {
  const onDrill = chart.drill && page.customers ? drill : null;
  return [tableOf(columns(chart, rows, onDrill), rows, title)];
}

export function list(_, rows, { title }) {
  const heads = [
    { head: name("customer"), cell: (row) => String(row.customer_id) },
    { head: name("track"), cell: (row) => track({ ...row, track: "?" }) },
    { head: name("peak"), kind: "number", cell: (row) => number(row.peak) },
    { head: name("since"), kind: "number minor", cell: (row) => time(row.since) },
    { head: name("latest"), kind: "number", cell: (row) => time(row.latest) },
  ];
  return [tableOf(heads, rows, title)];
}

export function drilled(rows, label) {
  const heads = [
    { head: name("customer"), cell: (row) => row.customer },
    { head: name("plays"), kind: "number", cell: (row) => number(row.plays) },
    { head: name("mobile"), kind: "number", cell: (row) => percent(row.mobile) },
    {
      head: name("distinct_tracks"),
      kind: "number minor",
      cell: (row) => number(row.distinct_tracks),
    },
    { head: name("latest"), kind: "number", cell: (row) => time(row.latest) },
  ];
  return tableOf(heads, rows, label);
}

function pairs(entries) {
  return [make("dl", {}, ...entries.flatMap(([term, value, kind]) => [
    make("dt", { class: kind }, term),
    make("dd", { class: kind }, value),
  ]))];
}

export function figures(chart, [row]) {
  const [whole] = Object.keys(chart.values);
  return pairs(
    Object.keys(chart.values).map((key) => [
      name(key),
      barred(row[whole] ? row[key] / row[whole] : 0, number(row[key]), key),
    ]),
  );
}

// An offer's two arms side by side, and what lies between them.
export function effect(_, rows, { title }) {
  const whole = rows.filter((row) => row.band === null);
  const most = Math.max(...whole.flatMap((row) => [row.rate_offered ?? 0, row.rate_held ?? 0]));
  const blocks = whole.map((row) =>
    make(
      "article",
      {},
      make("h3", {}, name(row.offer)),
      make("p", { class: "uplift" }, make("b", {}, points(row.uplift)), verdict(row)),
      make(
        "dl",
        {},
        ...arm("offered", row.offered, row.rate_offered, most),
        ...arm("holdout", row.holdout, row.rate_held, most),
      ),
      row.low === null
        ? null
        : make("small", {}, text("interval", points(row.low), points(row.high))),
      byScore(rows.filter((one) => one.offer === row.offer && one.band !== null && one.low !== null)),
    ),
  );
  const attributes = { class: "scroll effect", tabindex: "0", role: "region", "aria-label": title };
  return [make("div", attributes, ...blocks)];
}

function byScore(bands) {
  if (!bands.length) return null;
  const lines = bands.flatMap((row) => [
    make("dt", {}, `${name("band")} ${percent(row.band / 10)} – ${percent((row.band + 1) / 10)}`),
    make("dd", {}, points(row.uplift), make("small", {}, ` ${points(row.low)} … ${points(row.high)}`)),
  ]);
  return make("dl", { class: "bands" }, ...lines);
}

function arm(kind, customers, rate, most) {
  return [
    make("dt", {}, name(kind), make("small", {}, number(customers))),
    make("dd", {}, barred(most ? rate / most : 0, percent(rate), kind)),
  ];
}

function verdict({ low, high }) {
  if (low > 0) return make("span", { class: "change up" }, `▲ ${text("better")}`);
  if (low !== null && high < 0) return make("span", { class: "change down" }, `▼ ${text("worse")}`);
  return make("span", { class: "change" }, text("unsure"));
}

export function model(_, [row]) {
  const known = [
    [name("version"), row.version],
    [name("error"), row.error === null ? null : percent(row.error)],
    [name("auc"), row.auc === null ? null : row.auc.toFixed(3)],
    [name("examples"), row.examples === null ? null : number(row.examples)],
    [name("gate"), row.gate === null ? null : `${row.gate[0]}/${row.gate[1]} ${name("passed")}`],
    [name("promoted_at"), row.promoted_at === null ? null : time(row.promoted_at)],
  ];
  return pairs(known.filter(([, value]) => value !== null));
}
