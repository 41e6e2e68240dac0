// <stacked-areas>: the numbers of its own table as areas on each other, drawn by uPlot once there is room.

const HEIGHT = 220;
const COLOURS = ["--area-1", "--area-2", "--area-3", "--area-4", "--area-5", "--area-6", "--area-others"];
const LOOKS = ["(prefers-color-scheme: dark)", "print"].map((each) => matchMedia(each));

class StackedAreas extends HTMLElement {
  connectedCallback() {
    if (this.chart || !globalThis.uPlot) return;
    const table = this.querySelector("table");
    const names = [...table.tHead.rows[0].cells].slice(1, -1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows];
    const at = rows.map((row) => Number(row.cells[0].dataset.at));
    const own = names.map((_, line) => rows.map((row) => Number(row.cells[line + 1].dataset.value)));
    // The last stretch has a width, too.
    at.push(at.at(-1) + (this.dataset.hourly === "yes" ? 3600 : 86400));
    for (const line of own) line.push(line.at(-1));
    const sums = own.map((_, line) => at.map((_, row) => own.slice(0, line + 1).reduce((sum, each) => sum + each[row], 0)));
    const place = document.createElement("div");
    this.prepend(place);
    const draw = () => {
      this.chart?.destroy();
      this.chart = new uPlot(this.options(names, own, this.clientWidth), [at, ...sums], place);
    };
    draw();
    this.watch = new ResizeObserver(() => this.chart.setSize({ width: this.clientWidth, height: HEIGHT }));
    this.watch.observe(this);
    // A canvas keeps the colours that it was drawn with: in the evening, and on paper, it is drawn again.
    this.redraw = draw;
    for (const each of LOOKS) each.addEventListener("change", draw);
  }

  disconnectedCallback() {
    this.watch?.disconnect();
    for (const each of LOOKS) each.removeEventListener("change", this.redraw);
    this.chart?.destroy();
    this.chart = undefined;
  }

  options(names, own, width) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ink = colour("--ink-3");
    const line = colour("--line");
    const font = `11px ${colour("--sans")}`;
    const unit = this.dataset.unit;
    const money = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
    const utc = { timeZone: "UTC", day: "2-digit", month: "short" };
    const told = new Intl.DateTimeFormat("en-GB", this.dataset.hourly === "yes" ? { ...utc, hour: "2-digit", minute: "2-digit" } : utc);
    const clock = (seconds) => {
      const moment = new Date(seconds * 1000);
      return seconds % 86400 ? moment.toISOString().slice(11, 16) : new Intl.DateTimeFormat("en-GB", utc).format(moment);
    };
    const colourOf = (at) => colour(names[at] === "others" ? "--area-others" : COLOURS[Math.min(at, COLOURS.length - 1)]);
    return {
      width,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { stroke: line }, values: (_chart, splits) => splits.map(clock) },
        { stroke: ink, font, size: 64, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_chart, values) => values.map((value) => money.format(value)) },
      ],
      series: [
        { label: "UTC", value: (_chart, seconds) => (seconds == null ? "–" : told.format(new Date(seconds * 1000))) },
        ...names.map((name, at) => ({
          label: name,
          stroke: colourOf(at),
          fill: colourOf(at),
          width: 0.5,
          points: { show: false },
          paths: uPlot.paths.stepped({ align: 1 }),
          value: (_chart, _sum, _series, row) => (row == null ? "–" : `${money.format(own[at][row])} ${unit}`),
        })),
      ],
      // What lies on a line is filled down to that line only.
      bands: names.slice(1).map((_, at) => ({ series: [at + 2, at + 1] })),
    };
  }
}

customElements.define("stacked-areas", StackedAreas);
