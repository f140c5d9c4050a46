// Requests to the daemon, with the token if there is one.

const KEY = "nebula-token";

// Other documents cannot read a module's variable. They can read `sessionStorage`, because guests' pages share this origin.
let held = sessionStorage.getItem(KEY);

export const token = {
  get: () => held,
  /** With `remembered`, the token survives a reload. */
  set(text, remembered = false) {
    held = text;
    if (text && remembered) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  },
};

/** An unsuccessful response: its `status`, and the daemon's problem document in `about`. */
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

// If no token is needed, this proves to the daemon that a request comes from its own page and not from a guest's.
const proof = document.querySelector("meta[name=nebula-page]")?.content;

/** Sends a request. Throws a `Refusal` if the response is not successful. */
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

/** Describes any error to the user. */
export function inWords(error) {
  if (error instanceof Refusal) return error.sentence;
  if (error.name === "AbortError") return "Stopped.";
  return "Cannot reach the daemon.";
}

export const at = (name, below = "") => `/functions/${encodeURIComponent(name)}${below}`;
