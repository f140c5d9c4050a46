// The table of everything that is asked, with what came back: `table.md`, and what of it can be held against the dashboards at any time.
import { existsSync, readFileSync } from "node:fs";

import { panelsOf, unitOf } from "./dashboards.mjs";

const FILE = new URL("../table.md", import.meta.url);
const RULES = ["recording", "alerts"];

/** As much of a query as a line has room for; a click shows the rest. */
const WIDTH = 72;
/** Labels that nearly every query has. */
const COMMON = /job=~"\$job",instance=~"\$instance",?/g;

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];
const METRIC = { joule: "J", watt: "W", s: "s", massg: "g", bytes: "B" };
const PLAIN = { reqps: "/s", "suffix:×": "×", "suffix:g/kWh": "g/kWh" };

const plain = (value) => String(Number(value.toPrecision(3)));

/** A value with its unit, short. */
export function told(value, unit) {
  if (unit === "percentunit") return `${plain(value * 100)} %`;
  if (!METRIC[unit]) return [value === 0 || Math.abs(value) >= 1e-3 ? plain(value) : value.toExponential(1), PLAIN[unit]].filter(Boolean).join(" ");
  // What is below a billionth is the rounding of sums.
  const [factor, prefix] = PREFIXES.find(([factor]) => Math.abs(value) >= factor) ?? [1, ""];
  return `${Math.abs(value) < 1e-9 ? 0 : plain(value / factor)} ${prefix}${METRIC[unit]}`;
}

/** A query for a cell: the whole of it, or its beginning and, behind a click, the whole. */
function cell(query) {
  const code = (text) => `\`${text.replaceAll("|", "\\|")}\``;
  const short = query.replace(COMMON, "").replace(/\{\}/g, "");
  if (short.length <= WIDTH && short === query) return code(query);
  return `<details><summary>${code(short.length <= WIDTH ? short : `${short.slice(0, WIDTH - 1)}…`)}</summary>${code(query)}</details>`;
}

const beginning = (panel, ref, query) => `| ${panel} | ${[ref, cell(query)].filter(Boolean).join(" ")} |`;

/** `rows` are those of `Asking`, each with the query as its dashboard has it. */
export function table(dashboards, rows, { seconds, date }) {
  const section = (uid, title, unitOfRow, what = "Panel") => [
    "", `## ${title}`, "", `| ${what} | Query | Series | Last values |`, "|---|---|--:|---|",
    ...rows.filter(({ dashboard }) => dashboard === uid).map((row) => {
      const values = row.values.slice(0, 4).map((value) => told(value, unitOfRow(row)));
      const more = row.values.length > 4 ? ", …" : "";
      return `${beginning(row.panel, row.ref, row.asWritten)} ${row.values.length} | ${row.excused ? `*${row.excused}*` : values.join(", ") + more} |`;
    }),
  ];
  const unit = (dashboard) => ({ panel, ref, asWritten }) => {
    for (const found of panelsOf(dashboard).filter(({ title, options }) => title === panel && options?.textMode !== "name")) {
      const target = found.targets.find(({ refId, expr }) => refId === ref && expr === asWritten);
      if (target) return unitOf(found, target);
    }
    return undefined;
  };
  return `${[
    "# Every query of every panel, rule and alert, and what it answered", "",
    `Written by \`grafana/check/run --keep\` on ${date}: a daemon with the simulated source under ${seconds} s of load, and a Prometheus that scraped it every second. Every joule in it is made up.`,
    "Queries are as in the dashboards; of wide ones a click shows all. Labels that nearly all have (`job`, `instance`) are left out of what is shown before the click. Values are the last ones of up to four series.",
    ...dashboards.flatMap((dashboard) => section(dashboard.uid, dashboard.title.replace("Nebula / ", ""), unit(dashboard))),
    ...section("rules", "Recording rules", () => undefined, "Rule"),
    ...section("alerts", "Alerts, without the comparison at their end", () => undefined, "Alert"),
  ].join("\n")}\n`;
}

/** What the table lacks that dashboards and rules have. */
export function lacking(dashboards, text = existsSync(FILE) ? readFileSync(FILE, "utf8") : "") {
  const lines = text.split("\n");
  const queries = dashboards.flatMap((dashboard) => panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ refId, expr }) => ({ what: `${dashboard.uid}, ${title}, ${refId}`, line: beginning(title, refId, expr) }))));
  const rules = RULES.flatMap((name) => [...readFileSync(new URL(`../rules/${name}.yaml`, import.meta.url), "utf8").matchAll(/^\s+- (?:record|alert): (\S+)$/gm)].map(([, name]) => ({ what: name, line: `| ${name} | ` })));
  return [...queries, ...rules].filter(({ line }) => !lines.some((one) => one.startsWith(line))).map(({ what }) => `grafana/table.md does not show ${what} as it is now: run grafana/check/run --keep`);
}
