// Stands in for the event stream by polling: power from changes of the ledger, and the last calls.

import { askJson, Refusal } from "./daemon.js";

const INTERVAL = 3000;
export const CALLS = 100;
const NAMES = ["function", "runtime", "host", "base", "gap"];

/** Whether a call's record is final. */
export const isOver = ({ ended, energy }) => ended && !["running", "estimated"].includes(energy.state);

export class Polling {
  #onEvent;
  #timer = null;
  #before = null;
  #seen = new Set();
  #first = true;

  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  start() {
    if (this.#timer !== null) return;
    const round = async () => {
      const mine = this.#timer;
      await Promise.all([this.#quietly(() => this.#ledger()), this.#quietly(() => this.#calls())]);
      if (this.#timer === mine) this.#timer = setTimeout(round, INTERVAL);
    };
    this.#timer = setTimeout(round, 0);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#before = null;
  }

  /** Ignores refusals and lost connections, because the page already reports them. */
  async #quietly(ask) {
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
    }
  }

  async #ledger() {
    const { sums, calls, source } = await askJson("/energy");
    if (sums === null) return;
    const now = { time: performance.now() / 1000, sums };
    this.#onEvent("accounts", { ...sums, calls, source: source.kind });
    const before = this.#before;
    this.#before = now;
    if (before === null) return;
    const time = now.time - before.time;
    const power = (energy, past = 0) => Math.max(0, energy - past) / time;
    const functions = Object.entries(sums.functions).map(([name, account]) => ({
      function: name,
      watts: power(account.active_joules, before.sums.functions[name]?.active_joules),
    }));
    const accounts = NAMES.map((name) => [name, power(sums[`${name}_joules`], before.sums[`${name}_joules`])]);
    this.#onEvent("watts", {
      seconds: time,
      source: source.kind,
      accounts: Object.fromEntries(accounts),
      functions: functions.filter(({ watts }) => watts > 0),
    });
  }

  async #calls() {
    const { invocations } = await askJson(`/invocations?limit=${CALLS}`);
    const settled = invocations.filter(isOver);
    const fresh = settled.filter((call) => !this.#seen.has(call.invocation_id));
    this.#seen = new Set(settled.map((call) => call.invocation_id));
    // The page already lists the calls from before it was opened.
    if (!this.#first) fresh.reverse().forEach((call) => this.#onEvent("listed", call));
    this.#first = false;
  }
}
