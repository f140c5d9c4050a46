// Power over the last minutes, and the functions that get a colour of their own.

const KEPT = 300;
const SERIES = 5;
export const OTHERS = "others";

/** One sample of power. Adds up the versions of each function. */
function sampled(time, { accounts, functions }) {
  const byName = new Map();
  for (const { function: name, watts } of functions) byName.set(name, (byName.get(name) ?? 0) + watts);
  return { time, accounts, functions: byName };
}

export class History {
  samples = [];
  #colours = new Map();

  /** Handles a `history` event: the daemon's samples replace those this page received for the same time. */
  seed(history) {
    const now = performance.now() / 1000;
    const samples = history.map(({ seconds_ago: ago, ...sample }) => sampled(now - ago, sample));
    if (samples.length === 0) return;
    this.samples = [...this.samples.filter(({ time }) => time < samples[0].time - 0.5), ...samples];
  }

  /** Handles a `watts` event. */
  add(event) {
    const time = performance.now() / 1000;
    this.samples.push(sampled(time, event));
    while (this.samples[0].time < time - KEPT - 5) this.samples.shift();
  }

  /** How many seconds the chart spans: at least one minute, at most five. */
  get span() {
    const [first, last] = [this.samples.at(0), this.samples.at(-1)];
    return first ? Math.min(KEPT, Math.max(60, last.time - first.time)) : 60;
  }

  /** The functions that used the most, each keeping its colour, then all others together. */
  functions() {
    const sums = new Map();
    for (const { functions } of this.samples) {
      for (const [name, watts] of functions) sums.set(name, (sums.get(name) ?? 0) + watts);
    }
    const most = [...sums].sort(([, a], [, b]) => b - a).slice(0, SERIES).map(([name]) => name);
    for (const name of this.#colours.keys()) if (!most.includes(name)) this.#colours.delete(name);
    for (const name of most) {
      if (this.#colours.has(name)) continue;
      const taken = new Set(this.#colours.values());
      this.#colours.set(name, [...Array(SERIES).keys()].find((colour) => !taken.has(colour)));
    }
    const named = most.map((name) => ({
      name,
      colour: `series-${this.#colours.get(name)}`,
      of: (sample) => sample.functions.get(name) ?? 0,
    }));
    const rest = (sample) => Math.max(0, sample.accounts.function - named.reduce((sum, { of }) => sum + of(sample), 0));
    return [...named, { name: OTHERS, colour: OTHERS, of: rest }];
  }

  /** The machine's accounts. */
  machine() {
    const titles = { base: "base", host: "host", runtime: "runtime", function: "functions" };
    return Object.entries(titles).map(([account, name]) => ({
      name,
      colour: account,
      of: (sample) => sample.accounts[account] ?? 0,
    }));
  }
}
