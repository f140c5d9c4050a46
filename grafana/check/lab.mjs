// The laboratory: a daemon with the simulated source, a real Prometheus that scrapes it, and callers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How often Prometheus asks. A minute of load then has as many points as a quarter of an hour in production. */
export const SCRAPE_SECONDS = 1;

const GUESTS = new URL("../../functions/dist/", import.meta.url);

/** What is deployed besides the functions that come with the program: one that gets a new version while it is called. */
const CHECKOUT = { name: "checkout", before: "fibonacci-recursive-c.wasm", after: "fibonacci-recursive.wasm" };

/** Each caller: what it asks for, how often a second, and whether it is meant to fail. */
const CALLERS = [
  { path: "/invoke/fibonacci?input=20", perSecond: 10 },
  { path: "/invoke/estimate-pi?input=1000000", perSecond: 6 },
  { path: "/invoke/option-pricing?input=100,105,0.03,0.2,1,200000", perSecond: 3 },
  { path: "/invoke/prime-number?input=5000", perSecond: 8 },
  { path: "/invoke/fibonacci-recursive?input=30", perSecond: 5 },
  { path: "/invoke/fibonacci-recursive-c?input=30", perSecond: 5 },
  { path: "/invoke/sudoku?input=53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79", perSecond: 2 },
  { path: "/invoke/factorial?input=35", perSecond: 4 },
  { path: "/fn/hello-http", perSecond: 10 },
  { path: "/invoke/echo?input=Hello", perSecond: 4 },
  { path: `/invoke/${CHECKOUT.name}?input=30`, perSecond: 6 },
  { path: "/api/fibonacci/many", perSecond: 0.7 },
  { path: "/invoke/estimate-pi?input=none", perSecond: 0.3 },
];

/** Options of the daemon that make its optional metrics appear. */
const OPTIONS = ["--carbon-intensity", "302", "--quota-joules-per-hour", "100J", "--quota-calls-per-second", "20", "--power-max", "8W"];

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A program that is ended with this one. `died` fails when it ends by itself. */
function start(command, args, folder, name, children) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  child.on("error", (error) => (log += error));
  child.on("exit", () => writeFileSync(join(folder, `${name}.log`), log));
  const died = once(child, "exit").then(([code]) => { throw new Error(`${name} ended with ${code}: see ${folder}/${name}.log`); });
  died.catch(() => {});
  return { child, died };
}

/** Starts everything in `folder`, with the rules in `rules`. */
export async function startLab({ daemon, folder, rules }) {
  const children = [];
  // However this program ends, nothing of it goes on.
  process.once("exit", () => children.forEach((child) => child.kill("SIGKILL")));
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]]) process.once(signal, () => process.exit(code));
  const state = join(folder, "state");
  const serve = ["serve", "--source", "simulated", "--listen", "127.0.0.1:0", "--state", state, "--log-level", "warn"];
  const { child, died } = start(daemon, [...serve, ...OPTIONS], folder, "daemon", children);
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), died]);
  const address = line.replace("listening on http://", "");
  await Promise.race([died, until("the daemon is ready", 300, async () => (await fetch(`http://${address}/readyz`)).ok)]);

  const port = await freePort();
  const config = join(folder, "prometheus.json");
  // A YAML file may be JSON.
  writeFileSync(config, JSON.stringify({
    global: { scrape_interval: `${SCRAPE_SECONDS}s`, evaluation_interval: "5s" },
    rule_files: rules,
    scrape_configs: [{ job_name: "nebula", static_configs: [{ targets: [address] }] }],
  }));
  const { died: prometheusDied } = start("prometheus", [
    `--config.file=${config}`, `--storage.tsdb.path=${join(folder, "tsdb")}`, `--web.listen-address=127.0.0.1:${port}`,
    "--web.cors.origin=.*", "--log.level=warn", "--enable-feature=exemplar-storage",
  ], folder, "prometheus", children);
  const prometheus = `http://127.0.0.1:${port}`;
  await Promise.race([prometheusDied, until("Prometheus is ready", 180, async () => (await fetch(`${prometheus}/-/ready`)).ok)]);
  /** The moment of the next scrape that the daemon answers: what is asked about that moment is there. */
  const scrape = async () => {
    const since = Date.now() / 1000;
    let moment;
    await until("Prometheus has scraped the daemon", 120, async () => {
      const query = new URLSearchParams({ query: "timestamp(up) and up == 1" });
      const { data } = await (await fetch(`${prometheus}/api/v1/query?${query}`)).json();
      moment = Number(data.result[0].value[1]);
      return moment > since;
    });
    return moment;
  };
  const stop = async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, "exit");
      child.kill();
      await gone;
    }
  };
  return { daemon: `http://${address}`, prometheus, scrape, stop };
}

/** Waits until `done` holds, for at most so many seconds. */
export async function until(what, seconds, done) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await done().catch(() => false)) return;
    if (Date.now() > end) throw new Error(`in ${seconds} s it did not happen that ${what}`);
    await sleep(200);
  }
}

/** How long before the end of the load the new version comes. */
export const NEW_VERSION_SECONDS = 65;

/** So many calls at once are more than the quota of a second. */
const BURST = 60;

/**
 * Calls functions for so many seconds, in waves, and on until a last scrape has seen it; tells its moment, and how calls were answered.
 * Before the end a new version is deployed, twice; after it comes a burst that meets the quota.
 */
export async function load({ daemon, scrape }, seconds) {
  const from = Date.now();
  let over = false;
  const answered = new Map();
  await deploy(daemon, CHECKOUT.before);
  const call = async ({ path }) => {
    const answer = await fetch(daemon + path);
    await answer.arrayBuffer();
    answered.set(answer.status, (answered.get(answer.status) ?? 0) + 1);
  };
  const elapsed = () => (Date.now() - from) / 1000;
  const caller = async (what, index) => {
    while (!over) {
      // Waves of different lengths, so that curves tell functions apart.
      const wave = 1 + 0.6 * Math.sin((elapsed() / (20 + 3 * index)) * 2 * Math.PI);
      const due = Date.now() + 1000 / (what.perSecond * wave);
      await call(what).catch(() => answered.set("no answer", (answered.get("no answer") ?? 0) + 1));
      await sleep(Math.max(1, due - Date.now()));
    }
  };
  const newVersion = async () => {
    await sleep(Math.max(seconds / 2, seconds - NEW_VERSION_SECONDS) * 1000);
    await deploy(daemon, CHECKOUT.after);
    await deploy(daemon, CHECKOUT.after);
    await sleep(10_000);
    await Promise.all(Array.from({ length: BURST }, () => call({ path: `/invoke/${CHECKOUT.name}?input=20` })));
  };
  const end = async () => {
    await Promise.all([newVersion(), sleep(seconds * 1000)]);
    return scrape();
  };
  const [to] = await Promise.all([end().finally(() => (over = true)), ...CALLERS.map(caller)]);
  return { to, answered: Object.fromEntries(answered) };
}

async function deploy(daemon, guest) {
  const answer = await fetch(`${daemon}/functions/${CHECKOUT.name}`, { method: "PUT", body: readFileSync(new URL(guest, GUESTS)) });
  if (!answer.ok) throw new Error(`deploying ${guest}: ${answer.status} ${await answer.text()}`);
}
