// Deploys a dropped or chosen module, with its manifest if there is one.

import { askJson, at, inWords } from "./daemon.js";
import { element, find, say } from "./dom.js";
import { bytes, joules, seconds, short } from "./units.js";

const MODULE = /\.(wasm|wat)$/i;
const MANIFEST = /\.toml$/i;

export class Deploy {
  #changed;
  #form = find("deploy").querySelector("form");
  #module = null;
  #manifest = null;

  /** Calls `changed` with the name of the deployed function. */
  constructor(changed) {
    this.#changed = changed;
    find("file").addEventListener("change", () => this.#choose(find("file").files));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#deploy();
    });
    let depth = 0;
    const over = (change) => {
      depth = Math.max(0, depth + change);
      find("drop").classList.toggle("over", depth > 0);
    };
    // Accept drops anywhere on the page, because the browser would open a file that misses the field.
    document.addEventListener("dragenter", () => over(1));
    document.addEventListener("dragleave", () => over(-1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      over(-depth);
      if (event.dataTransfer.files.length === 0) return;
      this.#choose(event.dataTransfer.files);
      find("deploy").scrollIntoView({ block: "nearest" });
    });
  }

  #choose(files) {
    const all = [...files];
    this.#module = all.find(({ name }) => MODULE.test(name)) ?? null;
    this.#manifest = all.find(({ name }) => MANIFEST.test(name)) ?? null;
    const known = [this.#module, this.#manifest].filter(Boolean);
    find("deployed").replaceChildren();
    if (known.length === 0) {
      say(find("chosen"), "Choose a .wasm or .wat file, a .toml file, or both.");
      return;
    }
    say(find("chosen"), known.map(({ name, size }) => `${name} (${bytes(size)})`).join(" and "));
    const plain = known[0].name.replace(/\.[^.]*$/, "").toLowerCase();
    find("name").value = plain.replace(/[^a-z0-9_-]+/g, "-").replace(/^[-_]+|-+$/g, "").slice(0, 63);
    find("name").focus({ preventScroll: true });
  }

  async #deploy() {
    const name = find("name").value;
    const button = this.#form.querySelector("button");
    if (!this.#module && !this.#manifest) {
      this.#say("error", "Choose a module or a manifest first.");
      return;
    }
    button.disabled = true;
    this.#say("faint", "Checking and compiling…");
    try {
      const deployed = await this.#put(name);
      const { cold_start: cold, version } = deployed;
      const cost = cold.energy_joules === null ? "" : ` using ${joules(cold.energy_joules)}`;
      const made = cold.compiled ? `compiled in ${seconds(cold.duration_us / 1e6)}${cost}` : "compiled code was in the cache";
      this.#say("good", `${deployed.changed ? "Deployed" : "Unchanged:"} ${name}, version ${short(version)}: ${made}.`);
      this.#changed(name);
    } catch (error) {
      this.#say("error", inWords(error));
    } finally {
      button.disabled = false;
    }
  }

  #put(name) {
    if (!this.#manifest) return askJson(at(name), { method: "PUT", body: this.#module });
    if (!this.#module) return askJson(at(name, "/manifest"), { method: "PUT", body: this.#manifest });
    const form = new FormData();
    form.append("module", this.#module);
    form.append("manifest", this.#manifest);
    return askJson(at(name), { method: "PUT", body: form });
  }

  #say(kind, text) {
    find("deployed").replaceChildren(element("p", { class: kind }, text));
  }
}
