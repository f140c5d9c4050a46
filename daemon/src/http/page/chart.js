// A stacked area chart of power over time, with a scale in watts and a cursor line.

import { drawn, find, say } from "./dom.js";
import { tick, watts } from "./units.js";

const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;
/** Where samples are missing for this many seconds, the chart stays blank. */
const LOST = 4;
/** If the chart spans more seconds than this, each point is the mean of `CALM` seconds. */
const CALM_FROM = 150;
const CALM = 3;

/** Rounds up to a round number, so the scale does not change with every sample. */
function roundUp(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((times) => times * step >= value) * step;
}

export class Chart {
  #box = find("chart");
  #svg = drawn("svg", { "aria-hidden": "true", focusable: "false" });
  #size = { width: 600, height: 220 };
  #samples = [];
  #series = [];
  #span = 60;
  #cursor = null;
  #pointed;

  /** Calls `pointed` with the sample under the cursor, or with `null` if the cursor is off the chart. */
  constructor(pointed) {
    this.#pointed = pointed;
    this.#box.append(this.#svg);
    new ResizeObserver(([{ contentRect }]) => {
      this.#size = { width: contentRect.width, height: contentRect.height };
      this.#draw();
    }).observe(this.#box);
    this.#box.addEventListener("pointermove", (event) => {
      this.#look(event.clientX - this.#box.getBoundingClientRect().left);
    });
    this.#box.addEventListener("pointerleave", () => this.#see(null));
    this.#box.addEventListener("blur", () => this.#see(null));
    this.#box.addEventListener("keydown", (event) => this.#key(event));
  }

  show(samples, series, span) {
    [this.#samples, this.#series, this.#span] = [samples, series, span];
    this.#draw();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.#see(null);
    if (step === undefined || this.#samples.length === 0) return;
    event.preventDefault();
    const last = this.#samples.length - 1;
    const from = this.#cursor === null ? last : this.#samples.indexOf(this.#cursor);
    this.#see(this.#samples[Math.max(0, Math.min(last, from + step))]);
    const values = this.#series.map(({ name, of }) => `${name} ${watts(of(this.#cursor))}`);
    say(find("chart-said"), `${ago(this.#samples, this.#cursor)}: ${values.join(", ")}`);
  }

  #look(x) {
    const end = this.#samples.at(-1);
    if (!end) return;
    const time = end.time - (1 - (x - LEFT) / (this.#size.width - LEFT)) * this.#span;
    const away = (sample) => Math.abs(sample.time - time);
    this.#see(this.#samples.reduce((best, sample) => (away(sample) < away(best) ? sample : best)));
  }

  #see(sample) {
    this.#cursor = sample;
    this.#pointed(sample);
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#size;
    const end = this.#samples.at(-1)?.time ?? 0;
    const shown = this.#samples.filter(({ time }) => time >= end - this.#span - LOST);
    const points = together(shown, this.#span > CALM_FROM ? CALM : 1);
    const total = (point) => this.#series.reduce((sum, { of }) => sum + mean(point.samples, of), 0);
    const peak = roundUp(Math.max(1e-3, ...points.map(total)) * 1.05);
    const x = (time) => LEFT + (1 - (end - time) / this.#span) * (width - LEFT);
    const y = (power) => TOP + (1 - power / peak) * (height - TOP - BOTTOM);
    find("chart-note").hidden = shown.length > 0;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const parts = [...this.#scales(x, y, end, peak), this.#clip()];
    const areas = drawn("g", { "clip-path": "url(#plot)" });
    let below = points.map(() => 0);
    for (const { colour, of } of this.#series) {
      const above = points.map(({ samples }, place) => below[place] + mean(samples, of));
      areas.append(drawn("path", { class: colour, d: area(points, below, above, x, y) }));
      below = above;
    }
    parts.push(areas);
    if (this.#cursor && shown.includes(this.#cursor)) {
      const at = x(this.#cursor.time).toFixed(1);
      parts.push(drawn("line", { class: "cursor", x1: at, x2: at, y1: TOP, y2: height - BOTTOM }));
    }
    this.#svg.replaceChildren(...parts);
  }

  #clip() {
    const { width, height } = this.#size;
    const clip = drawn("clipPath", { id: "plot" });
    clip.append(drawn("rect", { x: LEFT, y: 0, width: Math.max(0, width - LEFT), height: height - BOTTOM }));
    return clip;
  }

  *#scales(x, y, end, peak) {
    const { width, height } = this.#size;
    for (const power of [0, peak / 2, peak]) {
      const at = Math.round(y(power)) + 0.5;
      yield drawn("line", { class: "grid", x1: LEFT, x2: width, y1: at, y2: at });
      if (this.#samples.length === 0) continue;
      yield drawn("text", { x: LEFT - 8, y: at + 4, "text-anchor": "end" }, power === 0 ? "0" : tick(power));
    }
    const step = this.#span > 150 ? 60 : this.#span > 75 ? 30 : 15;
    for (let ago = 0; ago < this.#span; ago += step) {
      const text = ago === 0 ? "now" : ago % 60 === 0 ? `${ago / 60} min` : `${ago} s`;
      yield drawn("text", { x: x(end - ago), y: height - 5, "text-anchor": ago === 0 ? "end" : "middle" }, text);
    }
  }
}

const mean = (samples, of) => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;

/** Groups samples into points of `step` seconds. Steps start at fixed times, so points do not flicker as time passes. */
function together(samples, step) {
  const points = new Map();
  for (const sample of samples) {
    const key = step > 1 ? Math.floor(sample.time / step) : sample;
    if (!points.has(key)) points.set(key, { samples: [] });
    points.get(key).samples.push(sample);
  }
  const all = [...points.values()];
  // The last point reaches the right edge.
  all.forEach((point, place) => (point.time = place === all.length - 1 ? point.samples.at(-1).time : mean(point.samples, ({ time }) => time)));
  return all;
}

/** How long before the last sample this one was taken. */
export const ago = (samples, sample) => `${Math.round(samples.at(-1).time - sample.time)} s ago`;

/** The outline between two heights, interrupted where samples are missing. */
function area(points, below, above, x, y) {
  let path = "";
  let begin = 0;
  for (let place = 1; place <= points.length; place += 1) {
    if (place < points.length && points[place].samples[0].time - points[place - 1].samples.at(-1).time < LOST) continue;
    const point = (heights) => (at) => `${x(points[at].time).toFixed(1)},${y(heights[at]).toFixed(1)}`;
    const places = Array.from({ length: place - begin }, (_, offset) => begin + offset);
    if (places.length > 1) {
      path += `M${places.map(point(above)).join("L")}L${places.reverse().map(point(below)).join("L")}Z`;
    }
    begin = place;
  }
  return path;
}

/** Describes the chart for screen readers. */
export function describe(samples, series, span) {
  if (samples.length === 0) return;
  const parts = series.map(({ name, of }) => `${name} ${watts(of(samples.at(-1)))} now, ${watts(mean(samples, of))} on average`);
  say(find("chart-text"), `Power over the last ${Math.round(span)} seconds. ${parts.join("; ")}. Use the arrow keys to look back.`);
}
