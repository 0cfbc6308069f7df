// The page asks for its data every few seconds, and for what a viewer wants to see.

import { address, query, wanted } from "./address.js";
import { redraw, show } from "./cards.js";
import { drilled } from "./tables.js";
import { startTheme } from "./theme.js";
import { number, page, region, text, time } from "./words.js";

const EVERY_MS = 4_000;
const LONGEST_MS = 30_000;

const $ = (id) => document.getElementById(id);
const actions = {
  region: (state) => want({ state: state === wanted().state ? "" : state }),
  drill,
};
let timer = 0;
let failures = 0;
let asking = null;
let latest = null;

function want(change) {
  history.pushState(null, "", address(change));
  showControls();
  refresh();
}

function showControls() {
  const view = wanted();
  for (const group of ["range", "device"])
    for (const choice of $(group).querySelectorAll("input")) choice.checked = choice.value === view[group];
  $("state").value = view.state;
  $("clear").hidden = !view.state && !view.device;
  $("language").href = address({}, $("language").lang);
}

function showProgress(data) {
  const state = data.complete_to === null ? "unknown" : data.stale ? "stale" : "complete";
  const words = { unknown: "no_progress", stale: "stale", complete: "complete_to" }[state];
  const said = text(words, time(data.complete_to));
  const label = $("fresh").querySelector("span");
  $("fresh").dataset.state = state;
  if (label.textContent !== said) label.textContent = said;
}

function showTrouble() {
  $("banner").textContent = latest ? text("unreachable", time(latest.at)) : text("unreachable_yet");
  $("banner").hidden = false;
}

async function ask(path, signal) {
  const answer = await fetch(path, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (answer?.status === 400) {
    history.replaceState(null, "", address({ range: "", state: "", device: "" }));
    showControls();
  }
  return answer?.ok ? answer.json().catch(() => null) : null;
}

async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  const data = await ask(`data?${query()}`, mine.signal).catch(() => null);
  if (mine !== asking) return;
  failures = data ? 0 : failures + 1;
  if (data) {
    latest = data;
    $("banner").hidden = true;
    showProgress(data);
    await show(data, actions);
    $("cards").setAttribute("aria-busy", "false");
    document.documentElement.dataset.at = data.at;
  } else showTrouble();
  if (mine === asking && !document.hidden)
    timer = setTimeout(refresh, Math.min(EVERY_MS * 2 ** Math.min(failures, 5), LONGEST_MS));
}

async function drill(state) {
  const data = await ask(`customers?${query({ state })}`);
  if (!data) return showTrouble();
  const title = text("drill", region(state));
  $("customers-title").textContent = title;
  $("customers-note").textContent = text("drill_note", number(data.rows.length));
  $("customers").querySelector(".body").replaceChildren(drilled(data.rows, title));
  $("customers").showModal();
}

function start() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  $("times").textContent = text("times", zone);
  for (const group of ["range", "device", "state"])
    $(group).addEventListener("change", (event) => want({ [group]: event.target.value }));
  $("clear").addEventListener("click", () => want({ state: "", device: "" }));
  $("customers-close").addEventListener("click", () => $("customers").close());
  startTheme($("theme"), () => latest && redraw(latest, actions));
  addEventListener("popstate", () => {
    showControls();
    refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  });
  showControls();
  refresh();
}

start();
