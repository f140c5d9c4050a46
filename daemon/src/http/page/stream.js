// Reads `GET /events` with `fetch`, because an `EventSource` cannot send a token. Reconnects when the connection is lost,
// and polls if the daemon refuses the stream.
//
// Format: WHATWG HTML, section 9.2.

import { ask, inWords, Refusal } from "./daemon.js";
import { Polling } from "./polling.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15_000;
const RETRY_WHILE_POLLING = 10_000;
// The daemon sends a keep-alive every 15 seconds.
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

/** Calls `onEvent(name, data)` for each event, and `onState({kind, text})` when the state of the connection changes. */
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

  /** Connects, or reconnects with another token. */
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
        this.#onState({ kind: "lost", text: "The stream ended; reconnecting" });
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

  /** Reports the error and returns how many milliseconds to wait before the next try. */
  #failed(error) {
    if (!(error instanceof Refusal)) {
      this.#onState({ kind: "lost", text: `Not connected; retrying in ${Math.round(this.#pause / 1000)} s` });
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
      return "Live events are for operators; refreshing every few seconds";
    case 503:
      return "Too many pages are listening; refreshing every few seconds";
    default:
      return inWords(error);
  }
}
