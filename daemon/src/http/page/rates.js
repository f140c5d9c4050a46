// How often functions are called and what a call takes, from the calls that are told.

const WINDOW = 10;
const CALLS_KEPT = 100;

const now = () => Math.floor(performance.now() / 1000);

/** What is known of one function. */
class Known {
  calls = 0;
  watts = 0;
  /** Mean joules of the last calls; `null` while none is known. */
  mean = null;
  #joules = [];
  #next = 0;
  #seconds = new Array(WINDOW).fill(0);
  #second = 0;

  add(calls) {
    this.calls += calls;
    this.#turn();
    this.#seconds[this.#second % WINDOW] += calls;
  }

  learn(joules) {
    if (joules === null) return;
    this.#joules[this.#next] = joules;
    this.#next = (this.#next + 1) % CALLS_KEPT;
    this.mean = this.#joules.reduce((sum, each) => sum + each, 0) / this.#joules.length;
  }

  recent() {
    this.#turn();
    return this.#seconds.reduce((sum, calls) => sum + calls, 0);
  }

  #turn() {
    const second = now();
    const passed = Math.min(second - this.#second, WINDOW);
    for (let past = 0; past < passed; past += 1) this.#seconds[(second - past) % WINDOW] = 0;
    this.#second = second;
  }
}

export class Rates {
  #known = new Map();
  #burst = new Map();
  #opened = now();

  of(name) {
    return this.#known.get(name);
  }

  /** A call that has been settled just now. */
  note(call) {
    const name = call.function ?? "?";
    this.#at(name).add(1);
    this.#at(name).learn(call.energy_joules);
    this.#burst.set(name, (this.#burst.get(name) ?? 0) + 1);
  }

  /** A call of before this page was opened. */
  learn(call) {
    this.#at(call.function ?? "?").learn(call.energy_joules);
  }

  /** So many calls were left out where there were too many to tell: they are taken to be of the functions of those told. */
  omitted(calls) {
    const told = [...this.#burst.values()].reduce((sum, each) => sum + each, 0);
    for (const [name, each] of this.#burst) this.#at(name).add((calls * each) / told);
    this.#burst.clear();
  }

  /** The power of each function; those that are not named take none. */
  power(functions) {
    for (const known of this.#known.values()) known.watts = 0;
    for (const { function: name, watts } of functions) this.#at(name).watts += watts;
    // Calls of a quiet second have nothing to do with a later burst.
    this.#burst.clear();
  }

  /** Calls in a second. */
  rate(name) {
    const known = this.#known.get(name);
    return known ? known.recent() / Math.max(1, Math.min(WINDOW, now() - this.#opened)) : 0;
  }

  #at(name) {
    let known = this.#known.get(name);
    if (!known) this.#known.set(name, (known = new Known()));
    return known;
  }
}
