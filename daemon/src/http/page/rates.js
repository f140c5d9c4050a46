// How often functions are called and what a call takes. The daemon counts every call; those that it tells of one by one,
// of which it leaves some out when there are many, are added until it says how many there were.

const WINDOW = 10;
/** Marks that are closer than this say little of a rate. */
const LEAST = 2;

const now = () => performance.now() / 1000;

/** What is known of one function. */
class Known {
  calls = 0;
  joules = 0;
  /** Active joules in the ledger: also of calls that still run. */
  spent = 0;
  /** Calls whose joules are known. */
  #charged = 0;

  add(joules) {
    this.calls += 1;
    if (joules === null) return;
    this.joules += joules;
    this.#charged += 1;
  }

  be(calls, joules) {
    [this.calls, this.joules, this.#charged] = [calls, joules, calls];
  }

  /** Mean joules of a call; `null` while none is known. */
  get mean() {
    return this.#charged > 0 ? this.joules / this.#charged : null;
  }
}

export class Rates {
  #known = new Map();
  #marks = [];
  #exact = false;

  of(name) {
    return this.#known.get(name);
  }

  /** Whether the daemon has told how many calls there were since its start; else there are those that were told. */
  get areExact() {
    return this.#exact;
  }

  /** A call that has been settled. */
  note(call) {
    this.#at(call.function ?? "?").add(call.energy.active_joules);
  }

  /** What the daemon has counted since its start: calls, and what its ledger charged functions with. */
  count(calls, charged) {
    // It counts from zero again: another daemon.
    const before = this.#marks.at(-1)?.calls ?? new Map();
    if ([...before].some(([name, past]) => (calls[name]?.settled ?? 0) < past)) this.#marks = [];
    for (const [name, known] of this.#known) if (!(name in calls)) known.be(0, 0);
    for (const [name, { settled, active_joules: joules }] of Object.entries(calls)) this.#at(name).be(settled, joules);
    for (const [name, { active_joules: spent }] of Object.entries(charged)) this.#at(name).spent = spent;
    this.#exact = true;
    this.#mark();
  }

  /** Where nobody counts, what was told by now is what there is. To be called every second. */
  tick() {
    if (!this.#exact) this.#mark();
  }

  /** Calls in a second; `null` while it is not known. */
  rate(name) {
    return this.#grown(name, "calls");
  }

  /** Power; `null` while it is not known. */
  watts(name) {
    return this.areExact ? this.#grown(name, "spent") : null;
  }

  /** How much it became more in a second. */
  #grown(name, what) {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || last.time - first.time < LEAST) return null;
    return Math.max(0, (last[what].get(name) ?? 0) - (first[what].get(name) ?? 0)) / (last.time - first.time);
  }

  #mark() {
    const time = now();
    const all = (what) => new Map([...this.#known].map(([name, known]) => [name, known[what]]));
    this.#marks.push({ time, calls: all("calls"), spent: all("spent") });
    this.#marks = this.#marks.filter((mark) => mark.time > time - WINDOW - 1);
  }

  #at(name) {
    let known = this.#known.get(name);
    if (!known) this.#known.set(name, (known = new Known()));
    return known;
  }
}
