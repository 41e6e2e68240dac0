// <live-tail>: rows as they are recorded, by server-sent events; a bounded number of them, newest first.
//
// Each message is the HTML of one row, made and escaped by the server. It stops while paused or scrolled, and
// says how many wait; the browser itself reconnects, and tells the server the last id it saw.

const RATE_OVER_S = 10;

class LiveTail extends HTMLElement {
  connectedCallback() {
    this.lines = this.querySelector("[data-lines]");
    this.said = this.querySelector("[data-said]");
    this.rate = this.querySelector("[data-rate]");
    this.most = Number(this.dataset.most);
    this.waiting = [];
    this.times = [];
    this.isPaused = false;
    this.busy = ""; // why nothing comes, while that is so
    this.querySelector("[data-pause]")?.addEventListener("click", () => this.pause(!this.isPaused));
    this.source = new EventSource(this.dataset.src);
    this.source.addEventListener("live", () => {
      this.busy = "";
      this.tell();
    });
    this.source.addEventListener("busy", (event) => {
      this.busy = this.said.textContent = event.data;
    });
    this.source.addEventListener("row", (event) => this.take(event.data));
    this.source.addEventListener("problem", (event) => {
      this.source.close();
      this.said.textContent = event.data;
    });
    this.source.addEventListener("error", () => {
      if (this.source.readyState !== EventSource.CLOSED && !this.busy) this.said.textContent = "Connection lost, trying again";
    });
    this.timer = setInterval(() => this.tick(), 1000);
    this.onScroll = () => this.flush();
    addEventListener("scroll", this.onScroll, { passive: true });
  }

  disconnectedCallback() {
    this.source?.close();
    clearInterval(this.timer);
    removeEventListener("scroll", this.onScroll);
  }

  get isHeld() {
    return this.isPaused || scrollY > 40; // who has scrolled reads; rows must not move under the eyes
  }

  take(html) {
    this.times.push(performance.now());
    this.waiting.push(html);
    if (this.waiting.length > this.most) this.waiting.splice(0, this.waiting.length - this.most);
    this.flush();
  }

  flush() {
    if (this.isHeld || this.waiting.length === 0) return;
    const made = document.createElement("template");
    made.innerHTML = this.waiting.reverse().join("");
    this.waiting = [];
    for (const row of made.content.querySelectorAll("tr")) row.classList.add("new");
    const rows = [...made.content.children];
    this.lines.prepend(made.content);
    for (const row of rows) htmx.process(row);
    while (this.lines.children.length > this.most) this.lines.lastElementChild.remove();
    this.tell();
  }

  pause(is) {
    this.isPaused = is;
    const button = this.querySelector("[data-pause]");
    button.setAttribute("aria-pressed", String(is));
    button.querySelector("span").textContent = is ? "Go on" : "Pause";
    this.classList.toggle("paused", is);
    this.flush();
    this.tell();
  }

  tell() {
    const waits = this.waiting.length;
    const why = this.isPaused ? "Paused" : scrollY > 40 ? "Held while you read" : "Live";
    const said = waits ? `${why}, ${waits.toLocaleString("en")} new` : why;
    if (this.said.textContent !== said) this.said.textContent = said;
  }

  tick() {
    const since = performance.now() - RATE_OVER_S * 1000;
    this.times = this.times.filter((at) => at > since);
    this.rate.textContent = `${(this.times.length / RATE_OVER_S).toFixed(1)} a second`;
    if (this.source.readyState === EventSource.OPEN && !this.busy) this.tell();
  }
}

customElements.define("live-tail", LiveTail);
