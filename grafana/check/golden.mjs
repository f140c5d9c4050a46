// Holds names and labels of queries against the metrics that the daemon's own tests pin.
import { readFileSync } from "node:fs";

import { ADDED_LABELS, ADDED_METRICS, FURTHER_VALUES } from "./expected.mjs";
import { read } from "./promql.mjs";

const GOLDEN = new URL("../../daemon/tests/golden/metrics.txt", import.meta.url);

/** Labels whose values are words of ours; those of the others are names that somebody gave, or that a machine has. */
const CLOSED = ["account", "component", "outcome", "result", "measured", "pool", "le"];

/** Every series' name, with the values of each of its labels. */
export function golden(text = readFileSync(GOLDEN, "utf8")) {
  const metrics = new Map();
  for (const [, name, labels] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? #$/gm)) {
    const known = metrics.get(name) ?? new Map();
    for (const [, label, value] of (labels ?? "").matchAll(/(\w+)="([^"]*)"/g)) known.set(label, (known.get(label) ?? new Set()).add(value));
    metrics.set(name, known);
  }
  return metrics;
}

/** What a query names that the daemon does not have. `recorded` are the names of recording rules. */
export function unknown(query, metrics, recorded = []) {
  const { selectors, grouped } = read(query);
  const wrong = [];
  const labelled = new Set(ADDED_LABELS);
  for (const { name, matchers } of selectors) {
    if (recorded.includes(name)) { name.split(":")[0].split("_").forEach((label) => labelled.add(label)); continue; }
    const labels = metrics.get(name) ?? new Map(ADDED_METRICS[name]?.map((label) => [label, new Set()]));
    if (!metrics.has(name) && !ADDED_METRICS[name]) wrong.push(`there is no metric \`${name}\``);
    for (const label of labels.keys()) labelled.add(label);
    for (const { label, operator, value } of matchers) {
      if (ADDED_LABELS.includes(label)) continue;
      if (!labels.has(label)) wrong.push(`\`${name}\` has no label \`${label}\``);
      else if (CLOSED.includes(label)) {
        const values = operator.endsWith("~") ? value.replaceAll("[.]", ".").split("|") : [value];
        // One bound in several ways of writing it.
        if (label === "le" && new Set(values.map(Number)).size === 1 && values.some((value) => labels.get(label).has(value))) continue;
        values.filter((value) => !labels.get(label).has(value) && !FURTHER_VALUES[label]?.includes(value)).forEach((value) => wrong.push(`the label \`${label}\` of \`${name}\` is never \`${value}\``));
      }
    }
  }
  grouped.filter((label) => !labelled.has(label)).forEach((label) => wrong.push(`it groups by \`${label}\`, which none of its metrics has`));
  return wrong;
}
