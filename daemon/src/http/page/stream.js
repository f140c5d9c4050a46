// `GET /events` by `fetch`, for an `EventSource` sends no token. It comes back when it is lost, and where it is refused
// the page asks now and then instead.
//
// The format: WHATWG, HTML, section 9.2.

import { ask, inWords, Refusal } from "./daemon.js";
import { Polling } from "./polling.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15_000;
const RETRY_WHILE_POLLING = 10_000;
// The daemon gives a sign of life every 15 seconds.
const SILENCE = 40_000;

/** Splits a stream of text into events: `{name, data}`. */
export async function* events(body, alive = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length > 0) yield { name, data: JSON.parse(data.join("\n")) };
    }
  }
}

/** Tells `onEvent(name, data)` of what happens, and `onState({kind, text})` of how it goes. */
export class Stream {
  #onEvent;
  #onState;
  #polling;
  #abort = new AbortController();
  #pause = FIRST_PAUSE;
  #round = 0;

  constructor(onEvent, onState) {
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#polling = new Polling(onEvent);
  }

  /** Begins, or begins anew with another token. */
  restart() {
    this.#abort.abort();
    this.#polling.stop();
    this.#pause = FIRST_PAUSE;
    this.#round += 1;
    this.#run(this.#round);
  }

  async #run(round) {
    while (round === this.#round) {
      let wait = this.#pause;
      try {
        await this.#listen();
        if (round !== this.#round) return;
        this.#onState({ kind: "lost", text: "The stream has ended; it is opened again" });
      } catch (error) {
        if (round !== this.#round) return;
        wait = this.#failed(error);
      }
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
      await new Promise((resume) => setTimeout(resume, wait));
    }
  }

  async #listen() {
    const abort = new AbortController();
    this.#abort = abort;
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE);
    };
    alive();
    try {
      const response = await ask("/events?history=true", { accept: "text/event-stream", signal: abort.signal });
      this.#polling.stop();
      this.#onState({ kind: "live", text: "Live" });
      for await (const { name, data } of events(response.body, alive)) {
        this.#pause = FIRST_PAUSE;
        this.#onEvent(name, data);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says why, and gives how long to wait before the next try. */
  #failed(error) {
    if (!(error instanceof Refusal)) {
      this.#onState({ kind: "lost", text: `Not connected; next try in ${Math.round(this.#pause / 1000)} s` });
      return this.#pause;
    }
    this.#onState({ kind: "refused", status: error.status, text: said(error) });
    if (error.status !== 401) this.#polling.start();
    return RETRY_WHILE_POLLING;
  }
}

function said(error) {
  switch (error.status) {
    case 401:
      return "A token is needed to see more";
    case 403:
      return "Live events are for operators; asking every few seconds instead";
    case 503:
      return "Too many listen already; asking every few seconds instead";
    default:
      return inWords(error);
  }
}
