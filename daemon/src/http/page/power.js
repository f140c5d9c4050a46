// Current power by account and function, and how far to trust the figures.

import { ago, Chart, describe } from "./chart.js";
import { element, find, say } from "./dom.js";
import { History } from "./history.js";
import { watts } from "./units.js";

const ACCOUNTS = ["function", "runtime", "host", "base"];
const DESCRIBED_EVERY = 10;

const COUNTERS = ["Measured.", "Nebula reads the processor's energy counters and shares the energy out by the work done."];

/** How far to trust each source, in plain words. */
const NATURES = {
  powercap: COUNTERS,
  perf: COUNTERS,
  hwmon: ["Measured.", "Nebula reads a power sensor of this machine and shares the energy out by the work done."],
  "rapl-energy": COUNTERS,
  model: [
    "Estimated, not measured.",
    "Nebula reads no power counter here. It models power from how busy the processors are, and ranks functions by CPU time: not for billing.",
  ],
  simulated: ["Made up.", "Nothing is measured: a simulated machine shows how the page looks. These joules are not real."],
  off: ["Not measured.", "No energy source is in use."],
  restricted: ["For operators only.", "You need the operate role to see power and where it goes."],
  unknown: ["Not known yet.", "A token is needed to see more."],
};

/** What the chart says if there is no power to show. */
const NO_POWER = { off: "No energy is measured", restricted: "Only operators can see power", unknown: "A token is needed to see power" };

/** Shows where the joules come from. */
export function showSource({ kind, work_model: workModel, description, reason }) {
  const [nature, meaning] = NATURES[kind] ?? [kind, ""];
  say(find("nature"), nature);
  say(find("source"), workModel === "cpu_time_and_events" ? meaning.replace("CPU time", "CPU time and hardware events") : meaning);
  if (kind in NO_POWER) say(find("chart-note"), NO_POWER[kind]);
  const why = reason && description ? ` Why this source: ${reason}.` : "";
  find("source-details").replaceChildren(...withCode(description ? `${capital(description)}.${why}` : ""));
}

/** Turns names in backticks into code elements. */
const withCode = (text) => text.split("`").map((part, place) => (place % 2 === 1 ? element("code", {}, part) : part));

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export class Power {
  #history = new History();
  #machine = false;
  #looked = null;
  #shown = 0;
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
        this.#shown = 0;
        this.#show();
      });
    }
  }

  /** Handles a `history` event. */
  seed({ samples }) {
    this.#history.seed(samples);
    this.#show();
  }

  /** Handles a `watts` event. */
  add(event) {
    this.#history.add(event);
    const sum = Object.values(event.accounts).reduce((sum, each) => sum + each, 0);
    say(find("watts"), watts(sum));
    const error = event.uncertainty_watts;
    say(find("watts-error"), error === undefined ? "" : `± ${watts(error)}`);
    for (const account of ACCOUNTS) say(find(`watts-${account}`), watts(event.accounts[account]));
    this.#show();
  }

  #show() {
    const { samples, span } = this.#history;
    const series = this.#series();
    this.#chart.show(samples, series, span);
    this.#legend();
    if (this.#shown % DESCRIBED_EVERY === 0) describe(samples, series, span);
    this.#shown += 1;
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
