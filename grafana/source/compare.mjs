// Compare: two functions, or one at two times, side by side.
import { COLOURS, DAEMONS, ask, asked, choice, coloured, curves, dashboard, dashed, deployments, figure, functionVariable, named, now, row, steps, table } from "./panels.mjs";
import { DECADES, shareOfDecade } from "./decades.mjs";

const SIDES = { A: { labels: `${DAEMONS},function="$a"`, offset: " offset $a_before", colour: COLOURS.a, name: "A: $a" }, B: { labels: `${DAEMONS},function="$b"`, offset: " offset $b_before", colour: COLOURS.b, name: "B: $b" } };

const sum = ({ labels, offset }, counter, over, more = "") => `sum(rate(${counter}{${labels}${more}}[${over}]${offset}))`;
const mean = (side, histogram, over) => `${sum(side, `${histogram}_sum`, over)} / (${sum(side, `${histogram}_count`, over)} > 0)`;
const cpu = (side, over) => `${sum(side, "nebula_function_cpu_seconds_total", over)} / (${sum(side, "nebula_invocation_duration_seconds_count", over)} > 0)`;
const joules = (side, over) => mean(side, "nebula_invocation_energy_joules", over);
const duration = (side, over) => mean(side, "nebula_invocation_duration_seconds", over);
/** Joules of calls for a second of their CPU time. */
const hunger = (side, over) => `${sum(side, "nebula_invocation_energy_joules_sum", over)} / (${sum(side, "nebula_function_cpu_seconds_total", over)} > 0)`;
const failed = (side, over) => `${sum(side, "nebula_invocations_total", over, ',outcome!~"ok|cancelled"')} / (${sum(side, "nebula_invocations_total", over)} > 0)`;
const ratio = (of, over) => `(${of(SIDES.A, over)}) / (${of(SIDES.B, over)})`;
/** A quantile of the ratios of all windows of the range. Windows without calls of both are left out. */
const spread = (q) => `quantile_over_time(${q}, (${ratio(joules, "$__rate_interval")} > 0)[$__range:$__rate_interval])`;

const both = (of) => Object.values(SIDES).map((side) => ask(of(side, "$__rate_interval"), side.name));
const colours = Object.entries(SIDES).map(([letter, { colour }]) => asked(letter, coloured(colour)));
/** One row for A and one for B. */
const rows = (of) => Object.values(SIDES).map((side) => `label_replace(${of(side, "$__range")}, "side", "${side.name}", "", "")`).join(" or ");
// PromQL knows no offset of nothing.
const TIMES = [{ text: "now", value: "1ms" }, "5m", "1h", "6h", "1d", "7d"];

const multiple = (title, description, of) => figure(title, description, [now(ratio(of, "$__range"), "A ÷ B")], { unit: "suffix:×", decimals: 2, spark: false, thresholds: steps("blue", [1, "orange"]), w: 4, noValue: "no calls of both" });

export default dashboard("Compare", "Two functions side by side, or one before and after a change: the ratio of their joules, and its spread.", {
  variables: [
    functionVariable("a", "A", "The one side, in blue."),
    choice("a_before", "A as of", "`now`, or how long before.", ...TIMES),
    functionVariable("b", "B", "The other side, in orange."),
    choice("b_before", "B as of", "`now`, or how long before. To compare a function with what it was, choose it twice, and here how long ago.", ...TIMES),
  ],
  annotations: [deployments()],
  panels: [
    multiple("Joules per call, A ÷ B", "Mean joules per call of A as a multiple of B's, over the range that is shown. Blue: A uses less. Orange: B uses less.", joules),
    figure("Spread of the ratio", "The ratio in each window of the range (as long as a point of the curves): the middle one, and those that one in twenty lies below or above. Where the outer two are on the same side of 1 the difference is more than chance.", [
      now(spread(0.05), "p5"), now(spread(0.5), "median"), now(spread(0.95), "p95"),
    ], { unit: "suffix:×", decimals: 2, spark: false, w: 8, text: "value_and_name", thresholds: steps("blue", [1, "orange"]), noValue: "no calls of both" }),
    multiple("CPU time, A ÷ B", "CPU time of a call of A as a multiple of B's.", cpu),
    multiple("Duration, A ÷ B", "Duration of a call of A as a multiple of B's.", duration),
    multiple("Power on a CPU, A ÷ B", "Joules for a second of CPU time: above 1 the instructions of A are the hungrier ones.", hunger),

    row("Joules"),
    curves("Joules per call", "Means of settled calls. Each side is shifted by the time that was chosen for it; versions are no label of the metrics, so two versions are compared by time, or under two names.", both(joules), { unit: "joule", min: 0, fill: 0, w: 12, overrides: colours }),
    curves("Ratio A ÷ B", "Joules per call of A as a multiple of B's, over time, with the median and the spread over the whole range.", [
      ask(ratio(joules, "$__rate_interval"), "ratio"),
      ...[["p5", 0.05], ["median", 0.5], ["p95", 0.95]].map(([name, q]) => ask(spread(q).replace("[$__range:$__rate_interval]", "[$__range:$__rate_interval] @ end()"), name)),
    ], { unit: "suffix:×", decimals: 2, fill: 0, w: 12, overrides: [named("ratio", coloured("#B877D9")), named("median", { ...dashed, ...coloured("#73BF69") }), ...["p5", "p95"].map((name) => named(name, { ...dashed, ...coloured("#8E8E8E") }))] }),

    row("Side by side"),
    table("Figures over the range", "Means a call over the range that is shown, of each side.", ["side"], {
      "Joules per call": { expr: rows(joules), unit: "joule" },
      "CPU time": { expr: rows(cpu), unit: "s" },
      "Duration": { expr: rows(duration), unit: "s" },
      "Power on a CPU": { expr: rows(hunger), unit: "watt" },
      "Calls a second": { expr: rows((side, over) => sum(side, "nebula_invocation_duration_seconds_count", over)), unit: "reqps" },
      "Failed": { expr: rows(failed), unit: "percentunit", decimals: 1 },
    }, { h: 5, rename: { side: "Side" }, overrides: [named("Side", { mappings: [{ type: "regex", options: { pattern: "^(A: .*)$", result: { text: "$1", color: COLOURS.a, index: 0 } } }, { type: "regex", options: { pattern: "^(B: .*)$", result: { text: "$1", color: COLOURS.b, index: 1 } } }], "custom.cellOptions": { type: "color-text" } })] }),
    ...Object.entries(SIDES).map(([letter, side]) => curves(`How many calls of ${letter} use how much`, "Share of calls by the power of ten that their joules lie in.", DECADES.map(({ name, ...decade }) => ask(shareOfDecade(side.labels, decade, "[$__rate_interval]", side.offset), name)),
      { unit: "percentunit", min: 0, max: 1, stack: true, fill: 70, line: 0, overrides: DECADES.map(({ name, colour }) => named(name, coloured(colour))) })),

    row("Time"),
    curves("CPU time of a call", "Means a call: what its instance ran, without what it waited.", both(cpu), { unit: "s", min: 0, fill: 0, w: 8, overrides: colours }),
    curves("Duration", "Means a call, from admission to the end.", both(duration), { unit: "s", min: 0, fill: 0, w: 8, overrides: colours }),
    curves("Calls", "Calls a second. A comparison is as good as the fewer calls of the two.", both((side, over) => sum(side, "nebula_invocation_duration_seconds_count", over)), { unit: "reqps", min: 0, fill: 0, w: 8, overrides: colours }),
  ],
});
