// Every chart in its card, drawn again only when what it shows has changed.

import { wanted } from "./address.js";
import { Drawing } from "./drawings.js";
import * as tables from "./tables.js";
import { theme } from "./theme.js";
import { bucket, page, text, time } from "./words.js";

const drawings = new Map();
const shown = new Map();

// Forget what is shown, so that all of it is drawn again.
export function redraw(data, actions) {
  shown.clear();
  return show(data, actions);
}

// Show the data of all cards; `actions` are `region(code)` and `drill(code)`.
// Figures and tables first, then chart by chart: what is ready can be read while others are drawn.
export async function show(data, actions) {
  const card = (chart) => showCard(chart, data.charts[chart.id] ?? {}, data, actions);
  await Promise.all(page.charts.filter((chart) => !chart.spec).map(card));
  for (const chart of page.charts.filter((chart) => chart.spec)) {
    await painted();
    await card(chart);
  }
}

// When the browser has painted, or need not: a page in the background is not.
function painted() {
  const frame = new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return Promise.race([frame, new Promise((done) => setTimeout(done, 100))]);
}

async function showCard(chart, card, data, actions) {
  const element = document.getElementById(chart.id);
  const rows = card.rows ?? [];
  element.hidden = chart.later && !rows.length && !card.failed;
  const said = note(chart, card, data);
  if (chart.kind !== "tile") element.querySelector(".note").textContent = said;
  const words = card.failed ? page.words.empty.failed : emptyWords(chart, rows);
  const state = JSON.stringify([element.hidden, rows, words, said, signals(chart, data), data.compared, today()]);
  if (shown.get(chart.id) === state) return;
  shown.set(chart.id, state);
  const body = element.querySelector(".body");
  if (words !== null) {
    drawings.get(chart.id)?.clear();
    drawings.delete(chart.id);
    body.replaceChildren(tables.make("p", { class: "empty" }, words));
  } else if (chart.spec) {
    if (!drawings.has(chart.id)) {
      body.replaceChildren();
      drawings.set(chart.id, new Drawing(body, chart, actions.region));
    }
    await drawings.get(chart.id).show(rows, signals(chart, data), theme());
  } else {
    const title = document.getElementById(`${chart.id}-title`).textContent;
    fill(body, tables[chart.kind](chart, rows, { title, note: said, compared: data.compared, drill: actions.drill }));
  }
}

function today() {
  return new Date().toDateString();
}

function signals(chart, data) {
  if (chart.over_time) return { from: data.axis[0], to: data.axis[1] - data.bucket };
  if (chart.kind === "map") return { chosen: wanted().state || null };
  return {};
}

function note(chart, card, data) {
  const said = [];
  if (chart.window && card.rows?.length)
    said.push(text(data.compared ? "against" : "not_against", data.window.map(time).join("–")));
  if (chart.kind === "figures" && card.rows?.[0]?.received) said.push(balance(card.rows[0]));
  if (chart.over_time) said.push(bucket(data.bucket));
  if (card.reach === "all") said.push(text("unfiltered"));
  if (card.reach === "heard") said.push(text("listeners_there"));
  return said.join(" · ");
}

// Whether everything received is accounted for.
function balance({ received, accepted, duplicate, rejected }) {
  return text(received === accepted + duplicate + rejected ? "adds_up" : "does_not_add_up");
}

// What stands in a card that has nothing to show; null when it has.
function emptyWords(chart, rows) {
  if (chart.needs === "ages" && rows.length && rows.every((row) => row.age_band === "unknown"))
    return page.words.empty.ages;
  if (rows.length && (chart.kind !== "figures" || rows[0].received)) return null;
  if (chart.window) return page.words.empty.window;
  return page.words.empty[chart.dataset] ?? page.words.empty.plays;
}

// New contents for a card; the place that was scrolled to and the focus stay.
function fill(body, parts) {
  const active = body.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.dataset.key;
  const top = body.querySelector(".scroll")?.scrollTop ?? 0;
  body.replaceChildren(...parts);
  const scroll = body.querySelector(".scroll");
  if (scroll) scroll.scrollTop = top;
  if (active) (key ? body.querySelector(`[data-key="${key}"]`) : scroll)?.focus({ preventScroll: true });
}
