// Writes dashboards/*.json, or with --check tells which differ from what the sources say.
import { readFileSync, writeFileSync } from "node:fs";

import compare from "./compare.mjs";
import fn from "./function.mjs";
import overview from "./overview.mjs";
import truth from "./truth.mjs";

const checking = process.argv.includes("--check");
let differ = 0;
for (const [name, dashboard] of Object.entries({ compare, function: fn, overview, truth })) {
  const file = new URL(`../dashboards/${name}.json`, import.meta.url);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  const before = (() => { try { return readFileSync(file, "utf8"); } catch { return ""; } })();
  if (before === text) continue;
  differ += 1;
  if (checking) console.error(`dashboards/${name}.json is not what source/${name}.mjs says: run grafana/build`);
  else writeFileSync(file, text);
}
process.exitCode = checking && differ > 0 ? 1 : 0;
