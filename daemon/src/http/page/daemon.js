// Requests to the daemon, with the token if there is one.

const KEY = "nebula-token";

// A module's own variable is out of reach of other documents. What the tab keeps is not: guests' pages are of this origin.
let held = sessionStorage.getItem(KEY);

export const token = {
  get: () => held,
  /** With `remembered` it outlives a reload. */
  set(text, remembered = false) {
    held = text;
    if (text && remembered) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  },
};

/** An answer that is not what was asked for: `status`, and the daemon's own words in `about`. */
export class Refusal extends Error {
  constructor(status, about) {
    super(about.detail ?? about.title ?? `the daemon answered ${status}`);
    Object.assign(this, { status, about });
  }

  /** What went wrong, in a sentence. */
  get sentence() {
    return this.about.title ? `${this.about.title}: ${this.message}` : this.message;
  }
}

// Where no token is needed, the daemon tells its own page from those of guests by this.
const proof = document.querySelector("meta[name=nebula-page]")?.content;

/** Asks, and throws a `Refusal` if the answer is no success. */
export async function ask(path, { method = "GET", body, headers = {}, signal, accept = "application/json" } = {}) {
  const known = token.get();
  const sent = { accept, ...headers };
  if (known) sent.authorization = `Bearer ${known}`;
  else if (proof && path.startsWith("/functions/")) sent["nebula-page"] = proof;
  const response = await fetch(path, { method, body, headers: sent, signal, cache: "no-store" });
  if (!response.ok) {
    const text = await response.text();
    let about;
    try {
      about = JSON.parse(text);
    } catch {
      about = { detail: text.slice(0, 300) || response.statusText };
    }
    throw new Refusal(response.status, about);
  }
  return response;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/** An error in words, whatever it is. */
export function inWords(error) {
  if (error instanceof Refusal) return error.sentence;
  if (error.name === "AbortError") return "Stopped.";
  return "The daemon cannot be reached.";
}

export const at = (name, below = "") => `/functions/${encodeURIComponent(name)}${below}`;
