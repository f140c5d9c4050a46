// One function: calls it, shows the response and its energy, lists its versions and removes it.

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

  /** Calls `changed` after a rollback or a removal. */
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

  /** Shows a function as `GET /functions` describes it. */
  show(described, asked = false) {
    if (!described) return this.#nothing();
    const another = described.name !== this.#function?.name;
    if (another && this.#function) this.#inputs.set(this.#function.name, find("input").value);
    const renewed = described.version !== this.#function?.version;
    this.#function = described;
    say(find("try-title"), described.name);
    const origin = described.origin === "built-in" ? "built in" : "from a file";
    say(find("facts"), `${described.kind}, ${bytes(described.size_bytes)}, ${origin}, ${short(described.version)}`);
    if (another) {
      this.#running?.abort();
      find("input").value = this.#inputs.get(described.name) ?? described.example ?? "";
      find("result").replaceChildren(faint("The response and its energy will appear here."));
    }
    if (renewed) this.#versions();
    if (asked) {
      find("try").scrollIntoView({ block: "nearest" });
      find("input").focus({ preventScroll: true });
    }
  }

  /** Shows the charge of a settled call if it is the one shown here. */
  settled(call) {
    if (call.invocation_id === this.#waiting?.id) this.#waiting.show(call.energy);
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
    const text = answer.output ?? `Binary output, in Base64:\n${answer.output_base64}`;
    const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}\n… ${text.length - SHOWN_MAX} more characters` : text;
    find("result").replaceChildren(
      element("pre", { tabindex: "0", role: "group", "aria-label": "Output" }, cut || "(no output)"),
      ...this.#cost(answer),
    );
  }

  #failed(error) {
    const title = error instanceof Refusal ? error.about.title : null;
    const parts = [element("p", { class: "error" }, title ? element("strong", {}, `${title}. `) : null, sentence(error))];
    const about = error.about ?? {};
    if (about.stderr) parts.push(element("pre", { tabindex: "0", role: "group", "aria-label": "Standard error" }, about.stderr));
    if (about.energy) parts.push(...this.#cost(about));
    find("result").replaceChildren(...parts);
  }

  /** The energy of a call: the estimate at once, the charge as soon as it is settled. */
  #cost({ invocation_id: id, energy_joules: estimate, energy, timing }) {
    const settled = element("dd", { class: "faint" }, "settling…");
    const note = element("p", { class: "faint" }, energy.reason ?? "");
    const show = (energy) => {
      settled.classList.remove("faint");
      settled.replaceChildren(...amount(energy.active_joules, energy.uncertainty_joules, "main"));
      say(note, energy.reason ?? inWordsOf(energy));
      this.#waiting = null;
    };
    if (energy.state === "settled") show(energy);
    else if (estimate === null) say(settled, "not known");
    else {
      this.#waiting = { id, show };
      setTimeout(() => this.#askFor(id, show, ASKED_TIMES), SETTLES_WITHIN);
    }
    const time = (us) => (us === null || us === undefined ? "not known" : seconds(us / 1e6));
    const list = element(
      "dl",
      { class: "cost" },
      element("div", {}, element("dt", {}, "Settled"), settled),
      element("div", {}, element("dt", {}, "Estimated"), element("dd", {}, ...amount(estimate, energy.uncertainty_joules))),
      element("div", {}, element("dt", {}, "CPU time"), element("dd", {}, time(timing?.cpu_us))),
      element("div", {}, element("dt", {}, timing?.cold_start ? "Total, cold start" : "Total"), element("dd", {}, time(timing?.total_us))),
    );
    return [list, note];
  }

  /** Asks for the charge in case no event brings it. */
  async #askFor(id, show, times) {
    if (this.#waiting?.id !== id) return;
    try {
      const call = await askJson(`/invocations/${id}`);
      if (this.#waiting?.id !== id) return;
      if (call.energy.state === "settled") return show(call.energy);
    } catch {
      // The daemon may refuse to say. Then only the estimate is known.
    }
    if (times > 1) setTimeout(() => this.#askFor(id, show, times - 1), SETTLES_WITHIN);
    else show({ active_joules: null, uncertainty_joules: null });
  }

  async #versions() {
    const [details, described] = [find("versions"), this.#function];
    if (!details.open || !described) return;
    const box = details.querySelector("div");
    try {
      const { versions } = await askJson(at(described.name, "/versions"));
      if (described.name !== this.name) return;
      const items = versions.map((version) => this.#version(version));
      const none = faint("No versions are stored: this function is built in or comes from a folder.");
      const remove = element("button", { type: "button", class: "danger", onclick: () => this.#remove(described.name) }, "Remove");
      box.replaceChildren(items.length > 0 ? element("ul", {}, ...items) : none, ...(described.origin === "built-in" ? [] : [remove]));
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
    if (!(await confirmed(`Roll ${name} back?`, `Version ${short(version)} will serve all new calls.`, "Roll back"))) return;
    await this.#change(() => ask(at(name, `/rollback?to=${version}`), { method: "POST" }));
  }

  async #remove(name) {
    const text = "New calls will fail. The energy it used stays in the ledger.";
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

/** Explains an uncertainty that is larger than its value. */
function inWordsOf({ active_joules: value, uncertainty_joules: uncertainty }) {
  if (value === null || value === undefined || !(uncertainty > value)) return "";
  return `One call is too small to measure exactly: it used at most ${joules(value + uncertainty)}. The mean of many calls is more precise.`;
}

function sentence(error) {
  const text = error instanceof Refusal ? error.message : inWords(error);
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

const faint = (text) => element("p", { class: "faint" }, text);
