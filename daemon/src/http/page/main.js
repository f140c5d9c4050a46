// The live page: asks once for what there is, and follows what happens.

import { Calls } from "./calls.js";
import { setUpToken } from "./confirm.js";
import { askJson, inWords, Refusal } from "./daemon.js";
import { Deploy } from "./deploy.js";
import { find, say } from "./dom.js";
import { Functions } from "./functions.js";
import { showAccounts } from "./ledger.js";
import { Power, showSource } from "./power.js";
import { Rates } from "./rates.js";
import { Stream } from "./stream.js";
import { Try } from "./try.js";

const SEEDED = 500;
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

/** What may be asked for once, and is left out where it may not. */
async function ask(path, use) {
  try {
    use(await askJson(path));
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
  }
}

let source = null;
function sourceIs(kind) {
  if (kind === source) return;
  source = kind;
  showSource({ kind });
  ask("/energy", (ledger) => showSource(ledger.source));
}

const EVENTS = {
  watts(told) {
    sourceIs(told.source);
    power.add(told);
    rates.power(told.functions);
    functions.update();
  },
  accounts(told) {
    sourceIs(told.source);
    showAccounts(told);
  },
  call(call) {
    sourceIs(call.energy.source);
    rates.note(call);
    calls.note(call);
    tried.settled(call);
  },
  omitted: (told) => rates.omitted(told.calls),
};

const stream = new Stream(
  (name, data) => EVENTS[name]?.(data),
  ({ kind, text }) => {
    say(find("status"), text);
    find("status").dataset.kind = kind;
  },
);

function begin() {
  stream.restart();
  list();
  ask("/energy", (ledger) => {
    showSource(ledger.source);
    source = ledger.source.kind;
    if (ledger.sums) showAccounts(ledger.sums);
  });
  ask(`/invocations?limit=${SEEDED}`, ({ invocations }) => {
    for (const call of invocations.reverse()) {
      if (call.energy.state !== "settled") continue;
      rates.learn(call);
      calls.note(call);
    }
    functions.update();
    calls.update();
  });
}

setUpToken(begin);
begin();
setInterval(() => {
  functions.update();
  calls.update();
}, 1000);
setInterval(() => {
  if (!document.hidden) list();
}, LISTED_EVERY);
