// One function: call it and see its answer and its joules; its versions; taking it away.

import { confirmed } from "./confirm.js";
import { ask, askJson, at, inWords, Refusal } from "./daemon.js";
import { element, find, say } from "./dom.js";
import { bytes, joules, seconds, short } from "./units.js";

const SHOWN_MAX = 20_000;
const SETTLES_WITHIN = 1500;
const ASKED_TIMES = 5;

export class Try {
  #changed;
  #function = null;
  #running = null;
  #waiting = null;
  #inputs = new Map();

  /** `changed` is called when another function or version is served. */
  constructor(changed) {
    this.#changed = changed;
    find("call").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#running) this.#running.abort();
      else this.#call();
    });
    find("input").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("call").requestSubmit();
    });
    find("versions").addEventListener("toggle", () => this.#versions());
  }

  get name() {
    return this.#function?.name;
  }

  /** Shows this function, as `GET /functions` tells of it. */
  show(told, asked = false) {
    if (!told) return this.#nothing();
    const another = told.name !== this.#function?.name;
    if (another && this.#function) this.#inputs.set(this.#function.name, find("input").value);
    const renewed = told.version !== this.#function?.version;
    this.#function = told;
    say(find("try-title"), told.name);
    const origin = told.origin === "built-in" ? "built in" : "from a file";
    say(find("facts"), `${told.kind}, ${bytes(told.size_bytes)}, ${origin}, ${short(told.version)}`);
    if (another) {
      this.#running?.abort();
      find("input").value = this.#inputs.get(told.name) ?? told.example ?? "";
      find("result").replaceChildren(faint("The answer and its joules will stand here."));
    }
    if (renewed) this.#versions();
    if (asked) {
      find("try").scrollIntoView({ block: "nearest" });
      find("input").focus({ preventScroll: true });
    }
  }

  /** A call that has been settled: it may be ours. */
  settled(call) {
    if (call.invocation_id === this.#waiting?.id) this.#waiting.tell(call.energy);
  }

  #nothing() {
    this.#function = null;
    say(find("try-title"), "Try a function");
    say(find("facts"), "");
    find("result").replaceChildren(faint("There is no function to try."));
  }

  async #call() {
    if (!this.#function) return;
    const name = this.#function.name;
    const abort = new AbortController();
    this.#running = abort;
    this.#waiting = null;
    const button = find("call").querySelector("button");
    say(button, "Stop");
    find("result").setAttribute("aria-busy", "true");
    try {
      const body = new TextEncoder().encode(find("input").value);
      const options = { method: "POST", body, headers: { "content-type": "text/plain" }, signal: abort.signal };
      const answer = await askJson(`/invoke/${encodeURIComponent(name)}`, options);
      if (name === this.name) this.#answered(answer);
    } catch (error) {
      if (name === this.name) this.#failed(error);
    } finally {
      if (this.#running === abort) {
        this.#running = null;
        say(button, "Call");
        find("result").removeAttribute("aria-busy");
      }
    }
  }

  #answered(answer) {
    const text = answer.output ?? `Not text; in Base64:\n${answer.output_base64}`;
    const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}\n… ${text.length - SHOWN_MAX} more` : text;
    find("result").replaceChildren(
      element("pre", { tabindex: "0", role: "group", "aria-label": "Output" }, cut || "(no output)"),
      ...this.#cost(answer),
    );
  }

  #failed(error) {
    const title = error instanceof Refusal ? error.about.title : null;
    const parts = [element("p", { class: "error" }, title ? element("strong", {}, `${title}. `) : null, sentence(error))];
    const about = error.about ?? {};
    if (about.stderr) parts.push(element("pre", { tabindex: "0", role: "group", "aria-label": "What it wrote to stderr" }, about.stderr));
    if (about.energy) parts.push(...this.#cost(about));
    find("result").replaceChildren(...parts);
  }

  /** The joules of a call: the estimate at once, the charge as soon as it is known. */
  #cost({ invocation_id: id, energy_joules: estimate, energy, timing }) {
    const settled = element("dd", { class: "faint" }, "on its way…");
    const note = element("p", { class: "faint" }, energy.reason ?? "");
    const tell = (energy) => {
      settled.classList.remove("faint");
      settled.replaceChildren(...amount(energy.active_joules, energy.uncertainty_joules, "main"));
      say(note, energy.reason ?? inWordsOf(energy));
      this.#waiting = null;
    };
    if (energy.state === "settled") tell(energy);
    else if (estimate === null) say(settled, "not known");
    else {
      this.#waiting = { id, tell };
      setTimeout(() => this.#askFor(id, tell, ASKED_TIMES), SETTLES_WITHIN);
    }
    const time = (us) => (us === null || us === undefined ? "not known" : seconds(us / 1e6));
    const list = element(
      "dl",
      { class: "cost" },
      element("div", {}, element("dt", {}, "Settled"), settled),
      element("div", {}, element("dt", {}, "Estimated"), element("dd", {}, ...amount(estimate, energy.uncertainty_joules))),
      element("div", {}, element("dt", {}, "Processor time"), element("dd", {}, time(timing?.cpu_us))),
      element("div", {}, element("dt", {}, timing?.cold_start ? "In all, cold" : "In all"), element("dd", {}, time(timing?.total_us))),
    );
    return [list, note];
  }

  /** For when the stream did not tell. */
  async #askFor(id, tell, times) {
    if (this.#waiting?.id !== id) return;
    try {
      const call = await askJson(`/invocations/${id}`);
      if (this.#waiting?.id !== id) return;
      if (call.energy.state === "settled") return tell(call.energy);
    } catch {
      // It may not be told to us; then the estimate is what there is.
    }
    if (times > 1) setTimeout(() => this.#askFor(id, tell, times - 1), SETTLES_WITHIN);
    else tell({ active_joules: null, uncertainty_joules: null });
  }

  async #versions() {
    const [details, told] = [find("versions"), this.#function];
    if (!details.open || !told) return;
    const box = details.querySelector("div");
    try {
      const { versions } = await askJson(at(told.name, "/versions"));
      if (told.name !== this.name) return;
      const items = versions.map((version) => this.#version(version));
      const none = faint("No versions are kept: it came with the program or lies in a folder.");
      const remove = element("button", { type: "button", class: "danger", onclick: () => this.#remove(told.name) }, "Remove");
      box.replaceChildren(items.length > 0 ? element("ul", {}, ...items) : none, ...(told.origin === "built-in" ? [] : [remove]));
    } catch (error) {
      box.replaceChildren(element("p", { class: "error" }, inWords(error)));
    }
  }

  #version({ version, deployed, size_bytes: size, served }) {
    const when = new Date(deployed).toLocaleString("en-GB");
    const back = () => this.#rollBack(this.name, version);
    const button = served
      ? element("small", {}, "served")
      : element("button", { type: "button", class: "quiet", onclick: back, "aria-label": `Roll back to ${short(version)}` }, "Roll back");
    return element("li", {}, element("code", {}, short(version)), element("small", {}, `${when}, ${bytes(size)}`), button);
  }

  async #rollBack(name, version) {
    if (!(await confirmed(`Roll ${name} back?`, `Version ${short(version)} is served from then on.`, "Roll back"))) return;
    await this.#change(() => ask(at(name, `/rollback?to=${version}`), { method: "POST" }));
  }

  async #remove(name) {
    const text = "It is called no more. What it has cost stays in the ledger.";
    if (!(await confirmed(`Remove ${name}?`, text, "Remove"))) return;
    await this.#change(() => ask(at(name), { method: "DELETE" }));
  }

  async #change(change) {
    try {
      await change();
      await this.#changed();
      await this.#versions();
    } catch (error) {
      find("versions").querySelector("div").append(element("p", { class: "error", role: "alert" }, inWords(error)));
    }
  }
}

function amount(value, uncertainty, kind) {
  const shown = kind ? element("strong", {}, joules(value)) : joules(value);
  const known = value !== null && uncertainty !== null && uncertainty !== undefined;
  return [shown, known ? ` ± ${joules(uncertainty)}` : ""];
}

/** What an interval means that is wider than its figure. */
function inWordsOf({ active_joules: value, uncertainty_joules: uncertainty }) {
  if (value === null || value === undefined || !(uncertainty > value)) return "";
  return `One call is too little to be told exactly: at most ${joules(value + uncertainty)}. The mean of many says more.`;
}

function sentence(error) {
  const text = error instanceof Refusal ? error.message : inWords(error);
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

const faint = (text) => element("p", { class: "faint" }, text);
