// The peek panel: its event is in the address, so that a reload and a link show the same.
function chosen(id) {
  for (const row of document.querySelectorAll("[data-row]")) {
    const is = id !== null && row.querySelector(`[data-peek="${CSS.escape(id)}"]`) !== null;
    if (is) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
  }
  const address = new URL(location.href);
  if (id === null) address.searchParams.delete("peek");
  else address.searchParams.set("peek", id);
  history.replaceState(null, "", address);
  document.querySelector(".events")?.classList.toggle("peeking", id !== null);
}

export function closePeek() {
  const peek = document.getElementById("peek");
  if (!peek || peek.childElementCount === 0) return false;
  const from = document.querySelector('[data-row][aria-selected="true"] .row-link');
  peek.replaceChildren();
  chosen(null);
  from?.focus({ preventScroll: true });
  return true;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]") && closePeek()) event.preventDefault();
  const row = event.target.closest("tr[data-row]");
  if (row && !event.target.closest("a, button, summary") && !String(getSelection())) {
    row.querySelector(".row-link")?.click();
  }
});

document.addEventListener("htmx:after:swap", (event) => {
  const { sourceElement, target } = event.detail.ctx;
  if (target?.id === "peek" && sourceElement?.dataset.peek) {
    chosen(sourceElement.dataset.peek);
    target.scrollTop = 0;
  }
});
