// One line at the foot of the page that says what was done.

const SHOWN_MS = 2400; // long enough for five words

let timer = 0;

export function announce(text) {
  const notice = document.getElementById("notice");
  if (!notice) return;
  notice.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => notice.replaceChildren(), SHOWN_MS);
}
