// What the page is asked to show, as it stands in the address bar.

import { page } from "./words.js";

const DEFAULTS = { range: "24h", state: "", device: "" };

export function wanted() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(
    Object.entries(DEFAULTS).map(([key, value]) => [key, query.get(key) || value]),
  );
}

// The query for the data of what is wanted, with changes.
export function query(change = {}) {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...wanted(), ...change }))
    if (value && value !== DEFAULTS[key]) found.set(key, value);
  return found;
}

// The address of this page with changes, in a language.
export function address(change = {}, language = page.language) {
  const found = query(change);
  if (language !== "en") found.set("lang", language);
  const text = found.toString();
  return text ? `?${text}` : location.pathname;
}
