// Light or dark: what the system prefers, until a viewer chooses.

import { page } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const KEY = "encore-theme";

export function theme() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

export function startTheme(button, onChange) {
  const kept = stored(() => localStorage.getItem(KEY));
  if (kept in page.themes) document.documentElement.dataset.theme = kept;
  dark.addEventListener("change", onChange);
  button.addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    stored(() => localStorage.setItem(KEY, next));
    onChange();
  });
}

// Where a browser keeps nothing, a choice lasts as long as the page.
function stored(use) {
  try {
    return use();
  } catch {
    return null;
  }
}
