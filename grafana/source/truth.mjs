// Truth: whether the joules can be believed.
import { ACCOUNTS, COLOURS, DAEMONS, RANKS, SOURCE, ask, coloured, curves, dashboard, dashed, figure, le, named, now, row, steps, table } from "./panels.mjs";

const ZONES = `nebula_zone_energy_joules_total{${SOURCE}}`;
const ACCOUNT = `nebula_account_energy_joules_total{${SOURCE}}`;
const gap = (over) => `sum(increase(nebula_account_energy_joules_total{${SOURCE},account="gap"}[${over}])) / (sum(increase(${ZONES}[${over}])) > 0)`;
const RATIO = "nebula_estimate_ratio";
const within = (low, high, over) =>
  `(sum(rate(${RATIO}_bucket{${DAEMONS},${le(high)}}[${over}])) - sum(rate(${RATIO}_bucket{${DAEMONS},${le(low)}}[${over}]))) / (sum(rate(${RATIO}_count{${DAEMONS}}[${over}])) > 0)`;
const residual = `max(abs(sum by (instance, zone) (${ZONES}) - sum by (instance, zone) (${ACCOUNT})))`;
const accounts = Object.entries(ACCOUNTS).map(([name, colour]) => named(name, coloured(colour)));

export default dashboard("Truth", "Whether the joules can be believed: what was measured against what was charged, what is missing, how good estimates are, and what measuring costs.", {
  panels: [
    figure("Source", "The source that is read now. Green is measured by counters of the machine; orange is an estimate, or made up. The model knows CPU time alone and ranks functions by it.", [
      now(`group by (source) (nebula_energy_source_info{${DAEMONS},measured="true"})`, "{{source}}"),
      now(`group by (source) (nebula_energy_source_info{${DAEMONS},measured="false"})`, "{{source}}"),
    ], { spark: false, text: "name", w: 4, overrides: [
      { matcher: { id: "byFrameRefID", options: "A" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: COLOURS.good } }] },
      { matcher: { id: "byFrameRefID", options: "B" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: COLOURS.warn } }] },
      named("model", { displayName: RANKS }),
    ] }),
    figure("Measured", "What the source counted over the range that is shown, in the zones that may be added.", [now(`sum(increase(${ZONES}[$__range]))`, "measured")], { unit: "joule", spark: false, w: 4, color: { mode: "fixed", fixedColor: COLOURS.measured } }),
    figure("Residual", "The largest difference between a zone and the sum of its accounts since the daemon runs. It is 0 to the microjoule, at every moment; what is shown beyond that is the rounding of large numbers.", [
      ask(residual, "residual"),
    ], { unit: "joule", decimals: 0, spark: false, w: 4, thresholds: steps("green", [0.00001, "red"]), mappings: [{ type: "range", options: { from: 0, to: 0.0000005, result: { text: "0 J", index: 0 } } }] }),
    figure("In gaps", "Share of the measured energy that belongs to no window, as a source was lost and came back. The alert `NebulaGapShareHigh` fires above 1 %.", [now(gap("$__range"), "gap")], { unit: "percentunit", decimals: 2, spark: false, w: 4, thresholds: steps("green", [0.005, "orange"], [0.01, "red"]) }),
    figure("Estimates within 25 %", "Share of calls whose settled charge lies between 0.8 and 1.25 times the estimate in their answer, over the range.", [now(within("0.8", "1.25", "$__range"), "within")], { unit: "percentunit", decimals: 0, spark: false, w: 4, thresholds: steps("orange", [0.5, "yellow"], [0.8, "green"]) }),
    figure("The meter's own CPU", "CPU time of the thread that reads the source and keeps the accounts, as a part of one processor.", [
      ask(`sum(rate(nebula_meter_cpu_seconds_total{${DAEMONS}}[$__rate_interval])) / count(nebula_window_seconds{${DAEMONS}})`, "meter"),
    ], { unit: "percentunit", decimals: 2, w: 4, thresholds: steps("green", [0.02, "orange"], [0.1, "red"]) }),

    row("Measured = charged"),
    curves("Measured against the sum of accounts", "The yellow line is what the source measured, the areas are the accounts. They meet exactly: every joule has one owner, and none has two.", [
      ask(`sum by (account) (rate(${ACCOUNT}[$__rate_interval]))`, "{{account}}"),
      ask(`sum(rate(${ZONES}[$__rate_interval]))`, "measured"),
    ], { unit: "watt", stack: true, min: 0, w: 12, h: 10, overrides: [...accounts, named("measured", { ...coloured(COLOURS.measured), "custom.stacking": { mode: "none", group: "B" }, "custom.fillOpacity": 0, "custom.lineWidth": 3 })] }),
    table("Accounts of each zone", "Joules over the range that is shown, by zone, and what the source counted in it.", ["zone"], {
      ...Object.fromEntries(["function", "runtime", "host", "base", "gap"].map((account) => [account, { expr: `sum by (zone) (increase(nebula_account_energy_joules_total{${SOURCE},account="${account}"}[$__range]))`, unit: "joule" }])),
      "measured": { expr: `sum by (zone) (increase(${ZONES}[$__range]))`, unit: "joule", color: { mode: "fixed", fixedColor: COLOURS.measured }, cell: { type: "color-text" } },
    }, { w: 12, h: 5, width: 102, overrides: [named("zone", { "custom.width": 110 })] }),
    curves("Residual", "Difference between each zone and the sum of its accounts, since the daemon runs. Anything but a line at 0 is a defect of Nebula; please report it.", [
      ask(`sum by (zone) (${ZONES}) - sum by (zone) (${ACCOUNT})`, "{{zone}}"),
    ], { unit: "joule", w: 12, h: 5, under: true, fill: 0, overrides: [{ matcher: { id: "byType", options: "number" }, properties: [{ id: "custom.axisSoftMin", value: -0.0001 }, { id: "custom.axisSoftMax", value: 0.0001 }] }] }),

    row("What is missing"),
    curves("Time without energy, by reason", "Share of time in which a zone had no energy of its own: the source was lost, the counter was reset, told something implausible, may have gone round more than once, or the machine slept. Its joules are in `gap` if they could be trusted, and nowhere if not.", [
      ask(`sum by (reason) (rate(nebula_gap_seconds_total{${DAEMONS}}[$__rate_interval]))`, "{{reason}}"),
    ], { unit: "percentunit", min: 0, w: 8, stack: true, overrides: [{ matcher: { id: "byType", options: "number" }, properties: [{ id: "custom.axisSoftMax", value: 0.01 }] }] }),
    curves("Share of energy in gaps", "The gap account as a part of what was measured.", [ask(gap("$__rate_interval"), "gap"), ask("vector(0.01)", "alert")], { unit: "percentunit", min: 0, w: 8, overrides: [named("gap", coloured(ACCOUNTS.gap)), named("alert", { ...dashed, ...coloured("#8E8E8E") })] }),
    curves("Calls that lost a slice", "Slices and ends of calls that found the queue to the meter full: their energy went to the account `runtime`. `meter.postings` makes the queue longer.", [
      ask(`sum(increase(nebula_postings_dropped_total{${DAEMONS}}[$__rate_interval]))`, "dropped"),
    ], { unit: "short", min: 0, w: 8, lines: false, overrides: [named("dropped", { ...coloured(COLOURS.bad), "custom.axisSoftMax": 1 })] }),

    row("How good estimates are"),
    curves("Settled ÷ estimated", "What calls were finally charged, as a multiple of the estimate in their answers. 1 is perfect; half of all calls lie between p25 and p75, nine in ten between p5 and p95. Small calls lie far off 1 by nature: they are shorter than what the counter can tell apart.", [0.05, 0.25, 0.5, 0.75, 0.95].map((q) =>
      ask(`histogram_quantile(${q}, sum by (le) (rate(${RATIO}_bucket{${DAEMONS}}[$__rate_interval])))`, `p${q * 100}`)),
      { unit: "suffix:×", decimals: 2, w: 12, fill: 0, overrides: [{ matcher: { id: "byType", options: "number" }, properties: [{ id: "custom.axisSoftMin", value: 0.5 }, { id: "custom.axisSoftMax", value: 1.5 }] }, named("p50", { ...coloured(COLOURS.good), "custom.lineWidth": 3 }), ...["p25", "p75"].map((name) => named(name, coloured(COLOURS.a))), ...["p5", "p95"].map((name) => named(name, { ...dashed, ...coloured("#8E8E8E") }))] }),
    curves("Calls by how far off", "Share of calls by the distance of their settled charge from the estimate.", [
      ask(within("0.95", "1.05", "$__rate_interval"), "within 5 %"),
      ask(`${within("0.8", "1.25", "$__rate_interval")} - ${within("0.95", "1.05", "$__rate_interval")}`, "within 25 %"),
      ask(`${within("0.5", "2", "$__rate_interval")} - ${within("0.8", "1.25", "$__rate_interval")}`, "within a factor of 2"),
      ask(`1 - ${within("0.5", "2", "$__rate_interval")}`, "further"),
    ], { unit: "percentunit", min: 0, max: 1, w: 12, stack: true, fill: 60, line: 0, overrides: [named("within 5 %", coloured("#37872D")), named("within 25 %", coloured(COLOURS.good)), named("within a factor of 2", coloured("#FADE2A")), named("further", coloured(COLOURS.bad))] }),

    row("Calls and accounts"),
    curves("Calls in the accounts, and one by one", "Power of the functions' calls, once as the accounts hold it and once as the sum of settled calls. The two differ while calls run that are not settled yet, and by calls whose energy is not fully known. Preparing functions is in neither.", [
      ask(`sum(rate(nebula_function_energy_joules_total{${SOURCE},component="active"}[$__rate_interval]))`, "account"),
      ask(`sum(rate(nebula_invocation_energy_joules_sum{${DAEMONS}}[$__rate_interval]))`, "calls"),
    ], { unit: "watt", min: 0, w: 12, overrides: [named("account", coloured(ACCOUNTS.function)), named("calls", { ...dashed, ...coloured("#FF9830") })] }),
    curves("What measuring and serving cost", "Power of the account `runtime`, the daemon less its calls, and the CPU time of the meter's thread (right axis).", [
      ask(`sum(rate(nebula_account_energy_joules_total{${SOURCE},account="runtime"}[$__rate_interval]))`, "runtime"),
      ask(`sum(rate(nebula_meter_cpu_seconds_total{${DAEMONS}}[$__rate_interval]))`, "the meter's CPU"),
    ], { unit: "watt", min: 0, w: 12, overrides: [named("runtime", coloured(ACCOUNTS.runtime)), named("the meter's CPU", { unit: "percentunit", "custom.axisPlacement": "right", ...dashed, ...coloured("#8E8E8E") })] }),

    row("The source"),
    table("Sources", "What each daemon reads, whether it measures, and why it is this source.", ["instance", "source", "measured", "reason"], {
      "Window": { expr: `nebula_energy_source_info{${DAEMONS}} * on (job, instance) group_left () nebula_window_seconds{${DAEMONS}}`, unit: "s", width: 100 },
    }, { w: 12, h: 6, rename: { instance: "Daemon", source: "Source", measured: "Measured", reason: "Why" }, overrides: [named("job", { "custom.hidden": true }), named("Source", { mappings: [{ type: "value", options: { model: { text: RANKS, index: 0 } } }] }), named("Measured", { mappings: [{ type: "value", options: { true: { text: "measured", color: COLOURS.good, index: 0 }, false: { text: "not measured", color: COLOURS.warn, index: 1 } } }], "custom.cellOptions": { type: "color-text" } })] }),
    curves("Zones inside others", "Zones that lie inside those above or overlap with them (cores, graphics, the whole platform): shown, and never added.", [
      ask(`sum by (zone) (rate(nebula_observed_energy_joules_total{${SOURCE}}[$__rate_interval]))`, "{{zone}}"),
    ], { unit: "watt", min: 0, w: 12, h: 6, fill: 0, noValue: "this source has none" }),
  ],
});
