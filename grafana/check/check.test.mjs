// The check itself: that it finds what it is there to find.
import assert from "node:assert/strict";
import test from "node:test";

import { conventions, dashboards, panelsOf, unitOf } from "./dashboards.mjs";
import { golden, unknown } from "./golden.mjs";
import { read, wrongUnit } from "./promql.mjs";
import { lacking, table, told } from "./table.mjs";

const METRICS = golden(`
nebula_zone_energy_joules_total{package="0",source="powercap",zone="dram"} #
nebula_account_energy_joules_total{account="gap",source="powercap",zone="dram"} #
nebula_invocation_energy_joules_bucket{function="add",le="0.001"} #
nebula_invocation_energy_joules_sum{function="add"} #
nebula_functions #
`);

test("a unit that the values do not have is found", () => {
  const joules = 'sum(rate(nebula_zone_energy_joules_total{zone="dram"}[$__rate_interval] offset $before))';
  for (const [query, right, wrong] of [
    [joules, "watt", "joule"],
    ["sum by (zone) (increase(nebula_zone_energy_joules_total[$__range] @ end()))", "joule", "watt"],
    ["sum(rate(nebula_invocation_energy_joules_sum[1m])) / (sum(rate(nebula_invocation_energy_joules_count[1m])) > 0)", "joule", "percentunit"],
    ["histogram_quantile(0.5, sum by (le) (rate(nebula_invocation_energy_joules_bucket[1m])))", "joule", "watt"],
    ["rate(nebula_meter_cpu_seconds_total[1m])", "percentunit", "s"],
    ["rate(nebula_function_carbon_grams_total[1m]) * 3600", "massg", "watt"],
    ["topk(10, sum by (function) (rate(nebula_invocations_total[1m])))", "reqps", "short"],
    [`${joules} / ${joules}`, "suffix:×", "watt"],
    [`(${joules}) / sum(rate(nebula_function_cpu_seconds_total[1m]))`, "watt", "joule"],
  ]) {
    assert.equal(wrongUnit(query, right), undefined, query);
    assert.match(wrongUnit(query, wrong), /its values are/, query);
  }
  assert.match(wrongUnit("nebula_window_seconds - nebula_power_cap_watts", "s"), /^s - J·s\^-1$/);
  assert.match(wrongUnit("nebula_functions", "none"), /none of ours/);
});

test("the model's name says what its joules are good for", () => {
  const sources = dashboards().flatMap(panelsOf).filter(({ title }) => ["Source", "Sources"].includes(title));
  assert.equal(sources.length, 3);
  for (const panel of sources) assert.match(JSON.stringify(panel.fieldConfig.overrides), /model: ranks by CPU time/, panel.title);
});

test("names, labels and words that the daemon does not have are found", () => {
  assert.deepEqual(unknown('sum by (zone) (rate(nebula_zone_energy_joules_total{job=~"$job",zone="anything"}[1m]))', METRICS), []);
  assert.deepEqual(unknown("nebula_zones_energy_joules_total", METRICS), ["there is no metric `nebula_zones_energy_joules_total`"]);
  assert.deepEqual(unknown('nebula_zone_energy_joules_total{account="gap"}', METRICS), ["`nebula_zone_energy_joules_total` has no label `account`"]);
  assert.deepEqual(unknown('nebula_account_energy_joules_total{account=~"gap|hole"}', METRICS), ["the label `account` of `nebula_account_energy_joules_total` is never `hole`"]);
  assert.deepEqual(unknown('nebula_invocation_energy_joules_bucket{le="0.01"}', METRICS), ["the label `le` of `nebula_invocation_energy_joules_bucket` is never `0.01`"]);
  assert.deepEqual(unknown('nebula_invocation_energy_joules_bucket{le=~"0[.]001|1e-03"}', METRICS), []);
  assert.match(unknown('nebula_invocation_energy_joules_bucket{le=~"0[.]01|1e-02"}', METRICS).join(), /is never `0.01`/);
  assert.deepEqual(unknown("sum by (version) (nebula_functions)", METRICS), ["it groups by `version`, which none of its metrics has"]);
});

test("what cannot be read is no query", () => {
  for (const query of ["sum(", "sum(nebula_functions))", "nebula_functions ? 1", 'nebula_functions{job="a"']) assert.throws(() => read(query), undefined, query);
});

test("an override tells a query's unit before the default", () => {
  const fieldConfig = { defaults: { unit: "watt" }, overrides: [{ matcher: { id: "byName", options: "cpu" }, properties: [{ id: "unit", value: "percentunit" }] }] };
  assert.equal(unitOf({ fieldConfig }, { refId: "A", legendFormat: "power" }), "watt");
  assert.equal(unitOf({ fieldConfig }, { refId: "B", legendFormat: "cpu" }), "percentunit");
  const transformations = [{ id: "organize", options: { renameByName: { "Value #C": "cpu" } } }];
  assert.equal(unitOf({ fieldConfig, transformations }, { refId: "C", format: "table" }), "percentunit");
});

test("a dashboard that breaks a convention is found", () => {
  const broken = (change) => {
    const [dashboard] = dashboards();
    change(dashboard, panelsOf(dashboard)[0]);
    return conventions(dashboard);
  };
  assert.deepEqual(broken(() => {}), []);
  for (const [what, change] of [
    [/not null/, (dashboard) => (dashboard.id = 7)],
    [/no description/, (_, panel) => (panel.description = "")],
    [/does not go through/, (_, panel) => (panel.datasource = { uid: "mine" })],
    [/fixed range/, (_, panel) => (panel.targets[0].expr = "rate(nebula_functions[5m])")],
    [/Prometheus 3/, (_, panel) => (panel.targets[0].expr = 'nebula_estimate_ratio_bucket{job="a",le="2"}')],
    [/overlap/, (dashboard, panel) => (panelsOf(dashboard)[1].gridPos = panel.gridPos)],
    [/same id/, (dashboard, panel) => (panelsOf(dashboard)[1].id = panel.id)],
  ]) assert.match(broken(change).join("\n"), what);
});

test("a table that shows other queries than the dashboards is found", () => {
  const all = dashboards();
  const rows = all.flatMap((dashboard) => panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ refId, expr }) => ({ dashboard: dashboard.uid, panel: title, ref: refId, asWritten: expr, values: [1] }))));
  const text = table(all, rows, { seconds: 1, date: "today" });
  const only = (what) => what.filter((line) => line.includes("nebula-"));
  assert.deepEqual(only(lacking(all, text)), []);
  const [dashboard] = all;
  panelsOf(dashboard)[0].targets[0].expr += " > 0";
  assert.match(only(lacking(all, text)).join(), new RegExp(`^grafana/table.md does not show ${dashboard.uid}, .+, A as it is now`));
});

test("values are told with their unit", () => {
  for (const [value, unit, expected] of [
    [0.0134, "joule", "13.4 mJ"], [-2.8e-14, "joule", "0 J"], [0, "watt", "0 W"], [11.42, "watt", "11.4 W"], [4.2e7, "bytes", "42 MB"], [0.081, "percentunit", "8.1 %"], [60.04, "reqps", "60 /s"], [0.0000021, "s", "2.1 µs"], [23, "short", "23"], [0.00001, undefined, "1.0e-5"],
  ]) assert.equal(told(value, unit), expected);
});
