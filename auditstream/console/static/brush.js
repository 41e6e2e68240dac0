// <time-brush>: drag over a chart of time to look at that part of it alone.
//
// data-start and data-end are milliseconds of the chart's two ends; data-href is an address without a range.

const LEAST_PX = 4; // less is a click: it looks at the bar under it

class TimeBrush extends HTMLElement {
  connectedCallback() {
    this.addEventListener("pointerdown", (event) => this.begin(event));
  }

  begin(event) {
    if (event.button !== 0 || !this.dataset.href) return;
    const chart = this.querySelector("svg");
    const box = chart.getBoundingClientRect();
    const from = event.clientX;
    const bar = event.target.closest?.("g");
    const shade = document.createElement("div");
    shade.className = "shade";
    this.append(shade);
    this.setPointerCapture(event.pointerId);
    const within = (x) => Math.min(Math.max(x, box.left), box.right);
    const moved = (at) => {
      const [left, right] = [within(from), within(at.clientX)].sort((a, b) => a - b);
      shade.style.left = `${left - box.left}px`;
      shade.style.width = `${right - left}px`;
    };
    const ended = (at) => {
      this.removeEventListener("pointermove", moved);
      this.removeEventListener("pointerup", ended);
      this.removeEventListener("pointercancel", dropped);
      shade.remove();
      let [left, right] = [within(from), within(at.clientX)].sort((a, b) => a - b);
      if (right - left < LEAST_PX) {
        if (!bar) return;
        const place = bar.querySelector(".place").getBoundingClientRect();
        [left, right] = [place.left, place.right];
      }
      this.go((left - box.left) / box.width, (right - box.left) / box.width);
    };
    const dropped = () => {
      this.removeEventListener("pointermove", moved);
      this.removeEventListener("pointerup", ended);
      shade.remove();
    };
    this.addEventListener("pointermove", moved);
    this.addEventListener("pointerup", ended);
    this.addEventListener("pointercancel", dropped);
  }

  go(from, to) {
    const [start, end] = [Number(this.dataset.start), Number(this.dataset.end)];
    const at = (part) => new Date(Math.round(start + part * (end - start))).toISOString();
    const address = new URL(this.dataset.href, location.href);
    address.searchParams.set("from", at(from));
    address.searchParams.set("to", at(to));
    location.assign(address);
  }
}

customElements.define("time-brush", TimeBrush);
