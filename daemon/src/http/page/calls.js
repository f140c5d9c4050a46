// The table of recent calls. It updates once a second, because a busy daemon settles thousands of calls a second.

import { element, find } from "./dom.js";
import { clock, joules, seconds } from "./units.js";

const ROWS = 10;

export class Calls {
  #last = [];
  #dirty = false;
  #box = find("calls").querySelector(".scroll");
  #body = find("calls").querySelector("tbody");

  note(call) {
    this.#last.unshift(call);
    if (this.#last.length > ROWS) this.#last.length = ROWS;
    this.#dirty = true;
  }

  /** Adds earlier calls, latest first. */
  seed(calls) {
    const known = new Set(this.#last.map((call) => call.invocation_id));
    this.#last = [...this.#last, ...calls.filter((call) => !known.has(call.invocation_id))].slice(0, ROWS);
    this.#dirty = this.#last.length > 0;
    this.update();
  }

  update() {
    // Don't move rows while someone is reading them.
    if (!this.#dirty || this.#box.matches(":hover, :focus-within")) return;
    this.#dirty = false;
    this.#body.replaceChildren(...this.#last.map(row));
  }
}

function row({ ended, function: name, outcome, duration_seconds: duration, energy_joules: settled, energy }) {
  const number = (text) => element("td", { class: "number" }, text);
  return element(
    "tr",
    {},
    element("td", {}, element("time", { datetime: ended }, clock(ended))),
    element("th", { scope: "row" }, name ?? "removed"),
    element("td", { class: outcome === "ok" ? "faint" : "error" }, outcome.replace("_", " ")),
    number(seconds(duration)),
    number(joules(energy.estimate?.active_joules)),
    number(joules(settled)),
    number(joules(energy.uncertainty_joules)),
  );
}
