// The console's own script: what the pages can do beside what works without it. No page needs it to be read.

import "./areas.js";
import "./brush.js";
import "./live.js";
import { announce } from "./notice.js";
import "./keyboard.js";
import "./palette.js";
import "./peek.js";

// Times are UTC; the reader's own time is said when the pointer or the focus is on one.
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

document.addEventListener("pointerover", (event) => {
  const time = event.target.closest?.("time[datetime]");
  if (time && !time.dataset.told) {
    time.dataset.told = "yes";
    time.title += `\n${local.format(new Date(time.dateTime))}`;
  }
});

// A popover closes when something else is used.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details[data-pop][open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-copy]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(link.href);
    announce("Link copied");
  } catch {
    location.assign(link.href); // no right to the clipboard: the address bar has it then
  }
});

// What does not come at all is said in the place where it would have been.
document.addEventListener("htmx:error", (event) => {
  const target = event.detail.ctx?.target;
  if (!target || target.querySelector(".note.bad")) return;
  const note = document.createElement("p");
  note.className = "note bad";
  note.role = "alert";
  note.textContent = "No answer from the server. Reload the page when it is back.";
  target.replaceChildren(note);
});
