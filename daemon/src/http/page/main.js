// The live page: loads the current state once, then follows events.

import { Calls } from "./calls.js";
import { setUpToken } from "./confirm.js";
import { askJson, inWords, Refusal } from "./daemon.js";
import { Deploy } from "./deploy.js";
import { find, say } from "./dom.js";
import { Functions } from "./functions.js";
import { showAccounts } from "./ledger.js";
import { CALLS, isOver } from "./polling.js";
import { Power, showSource } from "./power.js";
import { Rates } from "./rates.js";
import { Stream } from "./stream.js";
import { Try } from "./try.js";

const LISTED_EVERY = 10_000;

const rates = new Rates();
const calls = new Calls();
const power = new Power();
const tried = new Try(list);
const functions = new Functions(rates, select);
new Deploy(async (name) => {
  await list();
  select(name);
});

function select(name, asked = false) {
  functions.mark(name);
  tried.show(functions.named(name), asked);
}

/** Reloads the list of functions. */
async function list() {
  try {
    functions.list(await askJson("/functions"));
    select(functions.named(tried.name) ? tried.name : functions.first);
  } catch (error) {
    say(find("more"), inWords(error));
  }
}

/** Requests `path` and passes the answer to `use`. If the daemon refuses, calls `refused` with the status. */
async function ask(path, use, refused = () => {}) {
  try {
    use(await askJson(path));
  } catch (error) {
    if (error instanceof Refusal) refused(error.status);
    else if (!(error instanceof TypeError)) throw error;
  }
}

let source = null;
function sourceIs(kind) {
  if (kind === source) return;
  source = kind;
  showSource({ kind });
  ask("/energy", (ledger) => showSource(ledger.source));
}

/** Shows what has been settled: the ledger's `sums`, and the counts of `calls` if the daemon sends them. */
function settled(sums, calls) {
  if (sums) showAccounts(sums);
  if (sums && calls) rates.count(calls, sums.functions);
  functions.update();
}

/** Shows a call that has ended. */
function ended(call) {
  sourceIs(call.energy.source);
  calls.note(call);
  tried.settled(call);
}

const EVENTS = {
  history: (event) => power.seed(event),
  watts(event) {
    sourceIs(event.source);
    power.add(event);
  },
  accounts(event) {
    sourceIs(event.source);
    settled(event, event.calls);
  },
  call(call) {
    rates.note(call);
    ended(call);
  },
  // The daemon's counts may already include these calls.
  listed(call) {
    if (!rates.areExact) rates.note(call);
    ended(call);
  },
};

const stream = new Stream(
  (name, data) => EVENTS[name]?.(data),
  ({ kind, text }) => {
    say(find("status"), text);
    document.documentElement.dataset.stream = kind;
  },
);

function begin() {
  stream.restart();
  list();
  const showRefused = (status) => {
    source = null;
    showSource({ kind: status === 401 ? "unknown" : "restricted" });
    functions.areNotCounted();
  };
  ask(
    "/energy",
    (ledger) => {
      source = ledger.source.kind;
      showSource(ledger.source);
      settled(ledger.sums, ledger.calls);
      functions.areNotCounted();
    },
    showRefused,
  );
  ask(`/invocations?limit=${CALLS}`, ({ invocations }) => {
    const over = invocations.filter(isOver);
    if (!rates.areExact) over.forEach((call) => rates.note(call));
    calls.seed(over);
  });
}

setUpToken(begin);
begin();
setInterval(() => {
  rates.tick();
  functions.update();
  calls.update();
}, 1000);
setInterval(() => {
  if (!document.hidden) list();
}, LISTED_EVERY);
