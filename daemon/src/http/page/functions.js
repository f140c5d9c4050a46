// The table of functions and what each one uses. It renders a limited number of rows, so a thousand functions do not slow it down.

import { element, find, say } from "./dom.js";
import { count, joules, rate, watts } from "./units.js";

const ROWS = 100;
const RESORTED_EVERY = 3000;
const SINCE_START = "all calls since the daemon started";
const SEEN = "the calls this page has seen";

export class Functions {
  #rates;
  #select;
  #all = [];
  #rows = new Map();
  #shown = [];
  #body = find("table").tBodies[0];
  #scroll = find("table").closest(".scroll");
  #selected = null;
  #most = ROWS;
  #key = "joules";
  #down = true;
  #sorted = 0;

  constructor(rates, select) {
    this.#rates = rates;
    this.#select = select;
    find("filter").addEventListener("input", () => {
      this.#most = ROWS;
      this.#arrange();
    });
    find("table").tHead.addEventListener("click", ({ target }) => {
      if (target.dataset.key) this.#sort(target);
    });
    this.#body.addEventListener("click", ({ target }) => {
      const row = target.closest("tr");
      if (row) this.#select(row.dataset.name, true);
    });
  }

  /** Shows the response to `GET /functions`. */
  list({ functions, broken }) {
    this.#all = functions;
    const names = new Set(functions.map(({ name }) => name));
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#rows.delete(name);
    this.#arrange();
    showBroken(broken);
  }

  /** Says that the figures cover only the calls this page has seen, unless the daemon sent its counts. */
  areNotCounted() {
    if (!this.#rates.areExact) say(find("since"), SEEN);
  }

  named(name) {
    return this.#all.find((each) => each.name === name);
  }

  get first() {
    return this.#all[0]?.name;
  }

  mark(name) {
    this.#selected = name;
    for (const [known, { row, button }] of this.#rows) {
      row.classList.toggle("selected", known === name);
      button.setAttribute("aria-pressed", String(known === name));
    }
  }

  /** Updates the figures in the visible rows. */
  update() {
    if (this.#rates.areExact) say(find("since"), SINCE_START);
    const busy = this.#scroll.matches(":hover, :focus-within");
    if (this.#key !== "name" && this.#all.length > 0 && !busy && performance.now() - this.#sorted > RESORTED_EVERY) this.#arrange();
    for (const name of this.#shown) {
      const { cells } = this.#rows.get(name);
      const known = this.#rates.of(name);
      say(cells.calls, count(known?.calls ?? 0));
      say(cells.rate, rate(this.#rates.rate(name)));
      say(cells.mean, joulesOf(known?.mean));
      say(cells.joules, joulesOf(known?.mean === null ? null : known?.joules));
      cells.joules.title = known?.uncertainty > 0 ? `± ${joules(known.uncertainty)} (95 %)` : "";
      const power = this.#rates.watts(name);
      say(cells.watts, power ? watts(power) : "—");
    }
  }

  #sort(button) {
    const { key } = button.dataset;
    this.#down = key === this.#key ? !this.#down : key !== "name";
    this.#key = key;
    for (const head of find("table").tHead.querySelectorAll("th")) {
      const chosen = head.contains(button);
      head.setAttribute("aria-sort", !chosen ? "none" : this.#down ? "descending" : "ascending");
    }
    this.#arrange();
  }

  #arrange() {
    this.#sorted = performance.now();
    const wanted = find("filter").value.trim().toLowerCase();
    const found = this.#all.filter(({ name }) => name.includes(wanted));
    const value = ({ name }) => {
      if (this.#key === "rate" || this.#key === "watts") return this.#rates[this.#key](name) ?? 0;
      return this.#rates.of(name)?.[this.#key] ?? 0;
    };
    const sign = this.#down ? -1 : 1;
    if (this.#key === "name") found.sort((a, b) => sign * (a.name < b.name ? -1 : 1));
    else {
      const values = new Map(found.map((each) => [each, value(each)]));
      found.sort((a, b) => sign * (values.get(a) - values.get(b)) || (a.name < b.name ? -1 : 1));
    }
    const shown = found.slice(0, this.#most);
    const names = shown.map(({ name }) => name);
    if (names.join() !== this.#shown.join() || names.length === 0) {
      this.#shown = names;
      this.#body.replaceChildren(...shown.map((each) => this.#row(each)));
    }
    say(find("count"), wanted ? `${count(found.length)} of ${count(this.#all.length)}` : count(this.#all.length));
    this.#showMore(found.length);
    this.update();
  }

  #showMore(found) {
    const left = found - this.#shown.length;
    if (found === 0) {
      find("more").replaceChildren(this.#all.length === 0 ? "No functions are served." : "No function matches.");
    } else if (left > 0) {
      const more = () => {
        this.#most += ROWS;
        this.#arrange();
      };
      const button = element("button", { type: "button", class: "quiet", onclick: more }, `Show ${count(Math.min(ROWS, left))} more`);
      find("more").replaceChildren(`${count(left)} more are not shown; the filter searches them too. `, button);
    } else find("more").replaceChildren();
  }

  #row({ name, kind }) {
    const known = this.#rows.get(name);
    if (known) return known.row;
    const cell = () => element("td", { class: "number" });
    const cells = { calls: cell(), rate: cell(), mean: cell(), joules: cell(), watts: cell() };
    const button = element("button", { type: "button", "aria-pressed": String(name === this.#selected), title: `${kind}: try it` }, name);
    const row = element("tr", { "data-name": name }, element("th", { scope: "row" }, button), ...Object.values(cells));
    row.classList.toggle("selected", name === this.#selected);
    this.#rows.set(name, { row, button, cells });
    return row;
  }
}

const joulesOf = (value) => (value === null || value === undefined ? "—" : joules(value));

function showBroken(broken) {
  const items = broken.map(({ name, file, reason, version_served: served }) =>
    element("li", {}, element("strong", {}, name), ` ${reason} `, element("small", {}, file, served ? "; the previous version is still served" : "")),
  );
  const title = `${broken.length === 1 ? "One file" : `${count(broken.length)} files`} failed to load`;
  find("broken").replaceChildren(...(items.length > 0 ? [element("h3", {}, title), element("ul", {}, ...items)] : []));
}
