// The live page: asks once for what there is, and follows what happens.

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

/** Asks what is served. */
async function list() {
  try {
    functions.list(await askJson("/functions"));
    select(functions.named(tried.name) ? tried.name : functions.first);
  } catch (error) {
    say(find("more"), inWords(error));
  }
}

/** What may be asked for once, and is left out where it may not; then `refused` is told the status. */
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

/** What has been settled: `sums` of the ledger, and `calls`, if any are told. */
function settled(sums, calls) {
  if (sums) showAccounts(sums);
  if (sums && calls) rates.count(calls, sums.functions);
  functions.update();
}

/** A call that is over. */
function ended(call) {
  sourceIs(call.energy.source);
  calls.note(call);
  tried.settled(call);
}

const EVENTS = {
  history: (told) => power.seed(told),
  watts(told) {
    sourceIs(told.source);
    power.add(told);
  },
  accounts(told) {
    sourceIs(told.source);
    settled(told, told.calls);
  },
  call(call) {
    rates.note(call);
    ended(call);
  },
  // Of these the daemon may have told before how many there are.
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
  const nothingTold = (status) => {
    source = null;
    showSource({ kind: status === 401 ? "unknown" : "untold" });
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
    nothingTold,
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
