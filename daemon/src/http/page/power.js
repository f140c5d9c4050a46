// Power now, by account and by function, and what the joules are worth.

import { ago, Chart, describe } from "./chart.js";
import { element, find, say } from "./dom.js";
import { History } from "./history.js";
import { watts } from "./units.js";

const ACCOUNTS = ["function", "runtime", "host", "base"];
const DESCRIBED_EVERY = 10;

/** What kind of joules a source gives, in plain words. */
const NATURES = {
  powercap: ["Measured", "The processor's own energy counters are read, and shared out by the work that was done."],
  perf: ["Measured", "The processor's own energy counters are read, and shared out by the work that was done."],
  hwmon: ["Measured", "A power sensor of this machine is read, and what it says is shared out by the work that was done."],
  "rapl-energy": ["Measured", "The processor's own energy counters are read, and shared out by the work that was done."],
  model: [
    "Estimated, not measured.",
    "No power counter is read here: power is taken from a model of how busy the processors are. It is good for comparing functions, and not for a bill.",
  ],
  simulated: ["Made up.", "Nothing is measured: a simulated machine shows how this looks. Do not take these joules for real."],
  off: ["No joules.", "Nothing is measured here."],
  untold: ["Not told to callers.", "Power, and what it was spent on, is told to operators."],
  unknown: ["Not known yet.", "A token is needed to see more."],
};

/** What stands in the chart where no power comes. */
const NO_POWER = { off: "Nothing is measured here", untold: "Power is told to operators", unknown: "A token is needed to see power" };

/** Tells what the joules are. */
export function showSource({ kind, description, reason }) {
  const [nature, meaning] = NATURES[kind] ?? [kind, ""];
  say(find("nature"), nature);
  say(find("source"), meaning);
  if (kind in NO_POWER) say(find("chart-note"), NO_POWER[kind]);
  const why = reason && description ? ` Why this source: ${reason}.` : "";
  find("source-details").replaceChildren(...withCode(description ? `${capital(description)}.${why}` : ""));
}

/** A text in which names are in backticks. */
const withCode = (text) => text.split("`").map((part, place) => (place % 2 === 1 ? element("code", {}, part) : part));

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export class Power {
  #history = new History();
  #machine = false;
  #looked = null;
  #told = 0;
  #chart = new Chart((sample) => {
    this.#looked = sample;
    this.#legend();
  });

  constructor() {
    for (const [id, machine] of [["show-functions", false], ["show-machine", true]]) {
      find(id).addEventListener("click", () => {
        this.#machine = machine;
        find("show-functions").setAttribute("aria-pressed", String(!machine));
        find("show-machine").setAttribute("aria-pressed", String(machine));
        this.#told = 0;
        this.#show();
      });
    }
  }

  /** A `history` event. */
  seed({ samples }) {
    this.#history.seed(samples);
    this.#show();
  }

  /** A `watts` event. */
  add(event) {
    this.#history.add(event);
    const sum = Object.values(event.accounts).reduce((sum, each) => sum + each, 0);
    say(find("watts"), watts(sum));
    for (const account of ACCOUNTS) say(find(`watts-${account}`), watts(event.accounts[account]));
    this.#show();
  }

  #show() {
    const { samples, span } = this.#history;
    const series = this.#series();
    this.#chart.show(samples, series, span);
    this.#legend();
    if (this.#told % DESCRIBED_EVERY === 0) describe(samples, series, span);
    this.#told += 1;
  }

  #series() {
    return this.#machine ? this.#history.machine() : this.#history.functions();
  }

  #legend() {
    const last = this.#history.samples.at(-1);
    const sample = this.#looked ?? last;
    if (!sample) return;
    const minutes = Math.round(this.#history.span / 60);
    const whole = minutes > 1 ? `Last ${minutes} minutes` : "Last minute";
    say(find("chart-title"), sample === last ? whole : ago(this.#history.samples, sample));
    const rows = this.#series().map(({ name, colour, of }) =>
      element("tr", {}, element("th", { scope: "row" }, element("i", { class: `swatch ${colour}` }), name), element("td", {}, watts(of(sample)))),
    );
    find("legend").tBodies[0].replaceChildren(...rows);
  }
}
