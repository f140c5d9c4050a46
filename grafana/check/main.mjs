// Proves the dashboards: against the sources, the golden metrics, a real Prometheus, and Grafana's own panels.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

import { conventions, dashboards, panelsOf, unitOf } from "./dashboards.mjs";
import { Asking } from "./evaluate.mjs";
import { MAY_SHOW_NOTHING } from "./expected.mjs";
import { golden, unknown } from "./golden.mjs";
import { SCRAPE_SECONDS, load, startLab } from "./lab.mjs";
import { wrongUnit } from "./promql.mjs";
import { lacking, table, told } from "./table.mjs";

const [daemon, folder, modules, ...flags] = process.argv.slice(2);
const quick = flags.includes("--quick");
const keep = flags.includes("--keep");
/** The meter learns what the machine draws when it is quiet, and what functions cost. Only then what is looked at begins. */
const QUIET_SECONDS = quick ? 8 : 20;
const WARM_SECONDS = quick ? 15 : 120;
const LOAD_SECONDS = quick ? 75 : 300;
/** How far apart the labels of a time axis are. */
const LABEL_SECONDS = quick ? 10 : 30;
const GRAFANA = fileURLToPath(new URL("../", import.meta.url));

/** What a value looks like in each unit. */
const LOOKS = {
  joule: /^-?[\d.]+ [fpnµmkMG]?J$/, watt: /^-?[\d.]+ [fpnµmkMG]?W$/, s: /^-?[\d.]+ (ns|µs|ms|s|mins?|hours?|days?)$/, reqps: /^[\d.]+K? req\/s$/, percentunit: /^-?[\d.]+%$/, massg: /^-?[\d.]+ ([fpnµmk]?g|t)$/,
  "suffix:g/kWh": / g\/kWh$/, bytes: /^[\d.]+ ([KMG]i)?B$/, "suffix:×": /^-?[\d.]+ ?×$/, short: /^-?[\d.]+( [KM])?$/, locale: /^[\d,]+$/,
};

/** What is looked at. Everything else is as a user finds it. */
const CHOSEN = {
  "nebula-function": { function: "checkout", before: "1m" },
  "nebula-compare": { a: "fibonacci-recursive", b: "fibonacci-recursive-c" },
};

const failures = [];
const fail = (what) => { failures.push(what); console.log(`FAILED: ${what}`); };
const step = (what) => console.log(`\n== ${what}`);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const all = dashboards();
const metrics = golden();

step("dashboards/*.json are what source/*.mjs say, keep to the conventions, and table.md shows them");
if (spawnSync(join(GRAFANA, "build"), ["--check"], { stdio: "inherit" }).status !== 0) fail("grafana/build --check");
all.flatMap(conventions).forEach(fail);
if (!keep) lacking(all).forEach(fail);

step("rules, and their tests");
const rules = readdirSync(join(GRAFANA, "rules")).filter((name) => name.endsWith(".yaml")).map((name) => join(GRAFANA, "rules", name));
const tests = readdirSync(join(GRAFANA, "rules/tests")).map((name) => join(GRAFANA, "rules/tests", name));
for (const command of [["check", "rules", ...rules], ["test", "rules", ...tests]]) {
  const { status, stdout, stderr } = spawnSync("promtool", command, { encoding: "utf8" });
  console.log(stdout.trim());
  if (status !== 0) fail(`promtool ${command.slice(0, 2).join(" ")}\n${stderr}`);
}

step("names and labels are those of the golden metrics, units fit what is asked");
let queries = 0;
for (const dashboard of all) {
  for (const panel of panelsOf(dashboard)) {
    for (const target of panel.targets) {
      queries += 1;
      const where = `${dashboard.uid}, ${panel.title}, ${target.refId}`;
      try {
        unknown(target.expr, metrics).forEach((what) => fail(`${where}: ${what}`));
        const wrong = panel.options?.textMode === "name" ? undefined : wrongUnit(target.expr, unitOf(panel, target));
        if (wrong) fail(`${where}: ${wrong}`);
      } catch (error) {
        fail(`${where}: ${error.message}`);
      }
    }
  }
  const others = [...dashboard.annotations.list, ...dashboard.templating.list].map(({ expr, query }) => expr ?? /^label_values\((.+),/.exec(query?.query)?.[1]).filter(Boolean);
  others.forEach((expr) => unknown(expr, metrics).forEach((what) => fail(`${dashboard.uid}, ${expr}: ${what}`)));
}
console.log(`${queries} queries`);

step(`a daemon (${daemon}), Prometheus, and ${WARM_SECONDS + LOAD_SECONDS} s of load`);
const lab = await startLab({ daemon, folder, rules });
let outcomes = [];
let rows = [];
try {
  await sleep(QUIET_SECONDS * 1000);
  const { to, answered } = await load(lab, WARM_SECONDS + LOAD_SECONDS);
  const from = to - LOAD_SECONDS;
  console.log("answers by status:", JSON.stringify(answered));

  step("every query of every panel, annotation, variable, rule and alert, asked of Prometheus");
  const asking = new Asking(lab, { from, to, scrapeSeconds: SCRAPE_SECONDS });
  for (const dashboard of all) {
    const told = await asking.dashboard(dashboard, CHOSEN[dashboard.uid] ?? {});
    rows.push(...told.rows);
    told.variables.filter(({ wrong }) => wrong).forEach(({ name, wrong }) => fail(`${dashboard.uid}, the variable \`${name}\`: ${wrong}`));
  }
  const recorded = await asking.rules();
  const names = recorded.filter(({ dashboard }) => dashboard === "rules").map(({ panel }) => panel);
  recorded.forEach(({ panel, query }) => unknown(query, metrics, names).forEach((what) => fail(`the rule ${panel}: ${what}`)));
  rows.push(...recorded);
  rows.filter(({ wrong }) => wrong).forEach(({ dashboard, panel, ref, query, wrong }) => fail(`${dashboard}, ${panel}, ${ref}: ${wrong}\n    ${query}`));

  step("every dashboard, drawn by Grafana's own panels");
  const { missing, render } = await import("./render.mjs");
  const why = modules === "-" ? "npm packages cannot be installed here" : missing(modules);
  if (why) console.log(`SKIPPED: drawing the dashboards: ${why}`);
  else {
    // Seconds less, so that the last label of a time axis does not stand at the edge, where it is cut off.
    const early = to % LABEL_SECONDS < LABEL_SECONDS / 3 ? (to % LABEL_SECONDS) + 1 : 0;
    outcomes = await render({ modules, folder, dashboards: all, prometheus: lab.prometheus, scrapeSeconds: SCRAPE_SECONDS, from: (from - early) * 1000, to: (to - early) * 1000, chosen: CHOSEN });
    for (const outcome of outcomes) {
      const before = failures.length;
      judge(outcome);
      outcome.well = failures.length === before;
    }
  }
} finally {
  await lab.stop();
}

/** What a picture must not show. */
function judge({ dashboard, picture, marks, complaints, panels }) {
  const { uid } = dashboard;
  // What a page without a Grafana server around it says in any case.
  complaints.filter((text) => !/grafanaBootData|favicon|public\/fonts|Failed to load resource/.test(text)).forEach((text) => fail(`${uid}: the page says ${text.slice(0, 400)}`));
  for (const { id, title, state, error, drawn, text } of panels) {
    const panel = dashboard.panels.find((panel) => panel.id === id);
    const nothing = MAY_SHOW_NOTHING.some(([of, name]) => of === uid && name === title);
    if (state !== "Done" || error) fail(`${uid}, ${title}: ${state}, ${error}`);
    if (!text.includes(title.slice(0, 10))) fail(`${uid}, ${title}: it is not on the page`);
    if (/An unexpected error|Error:|Loading plugin/.test(text)) fail(`${uid}, ${title}: an error box: ${text.slice(0, 200)}`);
    const shown = (drawn ?? []).filter(({ text }) => text !== null);
    if (shown.length === 0 && !nothing) fail(`${uid}, ${title}: nothing is shown (${text.replace(/\n/g, " ").slice(0, 80)})`);
    const names = panel.options?.textMode === "name";
    for (const { name, unit, text } of shown) if (!names && !LOOKS[unit]?.test(text)) fail(`${uid}, ${title}, ${name}: \`${text}\` is no ${unit}`);
  }
  if (marks === 0) fail(`${uid}: no annotation, though something was deployed`);
  console.log(`${picture}: ${panels.length} panels, ${panels.filter(({ drawn }) => drawn?.some(({ text }) => text !== null)).length} with values, ${marks} marks`);
}

step("the table");
const width = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text.padEnd(length));
for (const { dashboard, panel, ref, values, excused, wrong } of rows) {
  const shown = wrong ? `FAILED: ${wrong}` : excused ? `empty: ${excused}` : values.slice(0, 4).map((value) => told(value)).join("  ");
  console.log(`${width(dashboard, 16)} ${width(panel, 40)} ${width(ref, 2)} ${String(values.length).padStart(4)}  ${shown}`);
}
const markdown = table(all, rows, { seconds: LOAD_SECONDS, date: new Date().toISOString().slice(0, 10) });
writeFileSync(join(folder, "table.md"), markdown);
if (keep && failures.length === 0) {
  writeFileSync(join(GRAFANA, "table.md"), markdown);
  for (const { picture } of outcomes) copyFileSync(picture.replace(/png$/, "webp"), join(GRAFANA, "screenshots", basename(picture).replace(/^nebula-(.*)png$/, "$1webp")));
}

const asked = new Map(rows.map(({ dashboard, panel }) => [`${dashboard} ${panel}`, true]));
rows.filter(({ wrong }) => wrong).forEach(({ dashboard, panel }) => asked.set(`${dashboard} ${panel}`, false));
const count = (what) => rows.filter(what).length;
console.log(`\n${asked.size} panels, rules and alerts; ${rows.length} queries, ${count(({ values }) => values.length)} with values (${rows.reduce((sum, { values }) => sum + values.length, 0)} series), ${count(({ excused }) => excused)} empty for a reason, ${count(({ wrong }) => wrong)} wrong; ${outcomes.length} dashboards drawn; ${failures.length} failures`);
console.log(`pictures and table.md: ${keep && failures.length === 0 ? GRAFANA : folder}`);
// A line as cargo writes it, for who counts tests: panels, rules and alerts that have values, and dashboards that were drawn.
const passed = [...asked.values(), ...outcomes.map(({ well }) => well)].filter(Boolean).length;
console.log(`\ntest result: ${failures.length > 0 ? "FAILED" : "ok"}. ${passed} passed; ${failures.length} failed; 0 ignored`);
process.exit(failures.length > 0 ? 1 : 0);
