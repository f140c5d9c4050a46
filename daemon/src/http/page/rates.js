// How often functions are called and what a call uses. The daemon counts every call but, under load, sends events for only
// some of them. Until the page has the daemon's counts, it counts the events.

const WINDOW = 10;
/** A rate needs marks at least this many seconds apart. */
const LEAST = 2;

const now = () => performance.now() / 1000;

/** The counts of one function. */
class Known {
  calls = 0;
  joules = 0;
  /** Active joules in the ledger, including those of calls still running. */
  spent = 0;
  /** Half the width of the 95 % interval of `joules`; `undefined` unless the daemon counts. */
  uncertainty;
  /** Calls whose joules are known. */
  #charged = 0;

  add(joules) {
    this.calls += 1;
    if (joules === null) return;
    this.joules += joules;
    this.#charged += 1;
  }

  be(calls, joules, uncertainty) {
    [this.calls, this.joules, this.#charged, this.uncertainty] = [calls, joules, calls, uncertainty];
  }

  /** Mean joules per call; `null` while unknown. */
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

  /** Whether the counts are the daemon's, and so cover every call since it started. If not, they cover the events received. */
  get areExact() {
    return this.#exact;
  }

  /** Counts a settled call. */
  note(call) {
    this.#at(call.function ?? "?").add(call.energy.active_joules);
  }

  /** Adopts the daemon's counts since its start: calls, and the energy charged to functions. */
  count(calls, charged) {
    // A count that went down means that the daemon restarted.
    const before = this.#marks.at(-1)?.calls ?? new Map();
    if ([...before].some(([name, past]) => (calls[name]?.settled ?? 0) < past)) this.#marks = [];
    for (const [name, known] of this.#known) if (!(name in calls)) known.be(0, 0);
    for (const [name, { settled, active_joules: joules, active_joules_uncertainty: uncertainty }] of Object.entries(calls)) {
      this.#at(name).be(settled, joules, uncertainty);
    }
    for (const [name, { active_joules: spent }] of Object.entries(charged)) this.#at(name).spent = spent;
    this.#exact = true;
    this.#mark();
  }

  /** Marks the page's own counts if the daemon sends none. Call it once a second. */
  tick() {
    if (!this.#exact) this.#mark();
  }

  /** Calls per second; `null` while unknown. */
  rate(name) {
    return this.#grown(name, "calls");
  }

  /** Power in watts; `null` while unknown. */
  watts(name) {
    return this.areExact ? this.#grown(name, "spent") : null;
  }

  /** How much a count grew per second. */
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
