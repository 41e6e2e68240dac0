// The keyboard: / query, j and k rows, Enter opens, Esc closes, d range, n next page, g then a letter, ? the sheet.

import { closePeek } from "./peek.js";

const PLACES = { e: "/events", l: "/live", r: "/runs", u: "/usage", s: "/slos", f: "/findings", i: "/integrity", h: "/health", a: "/assets", p: "/prompts", o: "/accesses", x: "/exports", b: "/searches" };
const TOGETHER_MS = 1200; // between g and its letter

let wentAt = 0;

function isTyping(target) {
  return target.matches?.("input, textarea, select, [contenteditable]");
}

function move(step) {
  const rows = [...document.querySelectorAll("[data-rows] [data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const selected = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const from = at >= 0 ? at : selected;
  const next = rows[from < 0 ? 0 : Math.min(Math.max(from + step, 0), rows.length - 1)];
  const link = next.querySelector(".row-link");
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  // With the panel open, it follows the row.
  if (document.querySelector("#peek")?.childElementCount && link?.dataset.peek) link.click();
}

function close(target) {
  const open = document.querySelector("details[data-pop][open]");
  if (open) {
    open.open = false;
    open.querySelector("summary")?.focus();
    return true;
  }
  if (isTyping(target)) {
    target.blur();
    return true;
  }
  return closePeek();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return; // it has its own Esc
  if (event.key === "Escape") {
    if (close(event.target)) event.preventDefault();
    return;
  }
  if (isTyping(event.target)) return;
  const went = event.timeStamp - wentAt < TOGETHER_MS;
  wentAt = 0;
  if (went && PLACES[event.key]) {
    const link = document.querySelector(`nav[aria-label="Screens"] a[href$="${PLACES[event.key]}"]`);
    if (link) link.click();
    event.preventDefault();
    return;
  }
  switch (event.key) {
    case "/": {
      const query = document.getElementById("q");
      query?.focus();
      query?.select();
      break;
    }
    case "j":
    case "k":
      move(event.key === "j" ? 1 : -1);
      break;
    case "g":
      wentAt = event.timeStamp;
      break;
    case "?":
      document.getElementById("keys")?.showModal();
      break;
    default: {
      const keyed = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (!keyed) return;
      keyed.click();
    }
  }
  event.preventDefault();
});
