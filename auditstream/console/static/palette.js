// The palette: Ctrl+K or Cmd+K opens it over any page; arrows choose, Enter opens, Esc closes.
//
// A dialog with a combobox: the focus stays in its field, and what is chosen is named to it. The browser keeps
// the focus inside while it is open, and gives it back after. What is offered, the server says.

const WAITS_MS = 150; // between two keys of who types: each look at the record is one that is told of

const dialog = document.getElementById("palette");
const field = dialog?.querySelector("[role=combobox]");
const list = dialog?.querySelector("[role=listbox]");
const said = dialog?.querySelector("[data-palette-said]");

let timer = 0;
let asking = new AbortController();
let goes = false; // Enter was pressed before what it is about was there

function options() {
  return [...list.querySelectorAll("[role=option]")];
}

function chosen() {
  return list.querySelector('[aria-selected="true"]');
}

function choose(option) {
  chosen()?.setAttribute("aria-selected", "false");
  if (!option) {
    field.removeAttribute("aria-activedescendant");
    return;
  }
  option.setAttribute("aria-selected", "true");
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = options();
  if (all.length) choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
}

function show(html, text) {
  goes = false;
  list.innerHTML = html; // a template's own, which has escaped what it printed
  said.textContent = text;
  field.setAttribute("aria-expanded", String(options().length > 0));
  choose(options()[0]);
}

function found(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  const count = made.content.querySelectorAll("[role=option]").length;
  const problem = made.content.querySelector("[data-problem]")?.content.textContent ?? "";
  const places = count ? `${count} ${count === 1 ? "place" : "places"}` : "Nothing that you may see is called so";
  const isMeant = goes;
  show(html, `${places}. ${problem}`);
  if (isMeant) chosen()?.click();
}

async function look() {
  asking.abort();
  const mine = (asking = new AbortController());
  list.setAttribute("aria-busy", "true");
  try {
    const address = `${dialog.dataset.src}?${new URLSearchParams({ find: field.value })}`;
    const answer = await fetch(address, { headers: { "hx-request": "true" }, signal: mine.signal });
    if (answer.status === 401) {
      location.assign(answer.headers.get("hx-redirect") ?? location.href); // the session has ended
      return;
    }
    if (answer.ok) found(await answer.text());
    else show("", answer.status === 429 ? "Too many requests: wait a moment." : "No answer right now.");
  } catch (error) {
    if (error.name !== "AbortError") show("", "No answer from the server.");
  } finally {
    if (mine === asking) list.removeAttribute("aria-busy");
  }
}

function lookSoon() {
  clearTimeout(timer);
  goes = false;
  list.setAttribute("aria-busy", "true");
  timer = setTimeout(look, WAITS_MS);
}

function open() {
  for (const other of document.querySelectorAll("dialog[open]")) other.close();
  field.value = "";
  dialog.showModal();
  field.focus();
  look();
}

function close() {
  clearTimeout(timer);
  goes = false;
  asking.abort();
  dialog.close();
}

if (dialog) {
  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const key of document.querySelectorAll("[data-palette] kbd")) key.textContent = "⌘ K";
  }

  document.addEventListener("keydown", (event) => {
    if (event.key?.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (dialog.open) close();
    else open();
  });

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest?.("[data-palette]")) return;
    event.preventDefault();
    open();
  });

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-palette-close]")) close();
  });

  field.addEventListener("input", lookSoon);

  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      // What is listed still is of fewer letters: whoever types and presses Enter means what they typed.
      goes = list.hasAttribute("aria-busy");
      if (goes || chosen()) event.preventDefault();
      if (!goes) chosen()?.click();
    }
  });
}
