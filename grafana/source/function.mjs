// Function: one function, from its joules to its versions.
import { ACCOUNTS, COLOURS, DAEMONS, SOURCE, ask, asked, bars, choice, coloured, curves, dashboard, dashed, deployments, figure, functionVariable, named, newVersions, now, outcomes, row, steps } from "./panels.mjs";
import { DECADES, shareOfDecade } from "./decades.mjs";

const FUNCTION = `${DAEMONS},function="$function"`;
const ACTIVE = `nebula_function_energy_joules_total{${SOURCE},function="$function",component="active"}`;
const BASE = `nebula_function_energy_joules_total{${SOURCE},function="$function",component="base"}`;
const CALLS = `nebula_invocations_total{${FUNCTION},outcome!="rejected"}`;

/** Mean of a histogram over a time. */
const mean = (histogram, over = "[$__rate_interval]", offset = "") =>
  `sum(rate(${histogram}_sum{${FUNCTION}}${over}${offset})) / (sum(rate(${histogram}_count{${FUNCTION}}${over}${offset})) > 0)`;
const quantile = (q, histogram) => `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket{${FUNCTION}}[$__rate_interval])))`;
const perCall = (counter) => `sum(rate(${counter}[$__rate_interval])) / (sum(rate(${CALLS}[$__rate_interval])) > 0)`;

const JOULES = "nebula_invocation_energy_joules";
const green = { mode: "fixed", fixedColor: ACCOUNTS.function };
const blue = { mode: "fixed", fixedColor: ACCOUNTS.runtime };

export default dashboard("Function", "One function: its joules per call, what they go with, its cold starts, versions and budget.", {
  variables: [
    functionVariable("function", "Function", "The function that is looked at."),
    choice("before", "Compare with", "How long before a point of a curve the point lies that it is compared with.", "5m", "1m", "15m", "1h", "6h", "1d", "7d"),
  ],
  annotations: [deployments(), newVersions()],
  panels: [
    figure("Joules per call", "Active energy of a call: the mean over the range that is shown, of settled calls.", [now(mean(JOULES, "[$__range]"), "mean")], { unit: "joule", spark: false, color: green, w: 4 }),
    figure("Joules", "Energy of the function's calls over the range that is shown. Preparing is not part of it.", [now(`sum(increase(${ACTIVE}[$__range]))`, "active")], { unit: "joule", spark: false, color: green, w: 4 }),
    figure("Power", "Active power of the function now.", [ask(`sum(rate(${ACTIVE}[$__rate_interval]))`, "active")], { unit: "watt", color: green, w: 4 }),
    figure("Calls", "Calls that ran, a second.", [ask(`sum(rate(${CALLS}[$__rate_interval]))`, "calls")], { unit: "reqps", color: blue, w: 4 }),
    figure("Mean duration", "Time of a call from its admission to its end.", [ask(mean("nebula_invocation_duration_seconds"), "mean")], { unit: "s", color: blue, w: 4 }),
    figure("Failed", "Share of calls that failed over the range that is shown: errors, traps, limits met, rejections.", [
      now(`sum(increase(nebula_invocations_total{${FUNCTION},outcome!~"ok|cancelled"}[$__range])) / (sum(increase(nebula_invocations_total{${FUNCTION}}[$__range])) > 0)`, "failed"),
    ], { unit: "percentunit", decimals: 1, spark: false, thresholds: steps("green", [0.01, "orange"], [0.05, "red"]), w: 4 }),

    row("Joules of a call"),
    curves("Joules per call", "The mean is exact: settled joules divided by calls. The quantiles are interpolated within buckets that end at 1, 2 and 5 of each power of ten, from 10 µJ to 10 J. Points are calls: a click on one tells its identity, and leads to what the daemon remembers of it.", [
      ask(mean(JOULES), "mean"), ask(quantile(0.5, JOULES), "p50"), ask(quantile(0.95, JOULES), "p95", { exemplar: true }),
    ], { unit: "joule", min: 0, fill: 0, overrides: [named("mean", { ...coloured(ACCOUNTS.function), "custom.lineWidth": 3 }), named("p50", { ...dashed, ...coloured("#8AB8FF") }), named("p95", { ...dashed, ...coloured("#FF9830") })] }),
    curves("How many calls use how much", "Share of calls by the power of ten that their joules lie in. Several bands of one function mean that its calls differ: by input, or by version.", DECADES.map(({ name, ...decade }) => ask(shareOfDecade(FUNCTION, decade, "[$__rate_interval]"), name)),
      { unit: "percentunit", min: 0, max: 1, stack: true, fill: 70, line: 0, overrides: DECADES.map(({ name, colour }) => named(name, coloured(colour))) }),

    row("What the joules go with"),
    curves("Joules, duration and CPU time of a call", "Means a call. Where joules follow CPU time the function computes; where duration rises alone it waits, which costs nothing.", [
      ask(mean(JOULES), "joules"), ask(mean("nebula_invocation_duration_seconds"), "duration"), ask(perCall(`nebula_function_cpu_seconds_total{${FUNCTION}}`), "CPU time"),
    ], { unit: "s", min: 0, fill: 0, overrides: [named("joules", { unit: "joule", "custom.axisPlacement": "right", ...coloured(ACCOUNTS.function), "custom.lineWidth": 3 }), named("duration", coloured(COLOURS.a)), named("CPU time", coloured(COLOURS.b))] }),
    curves("Power on a CPU", "Joules for a second of CPU time: how hungry the instructions are. It moves with the processor's frequency, with neighbours on the same core, and with a version that uses other instructions.", [
      ask(`sum(rate(${ACTIVE}[$__rate_interval])) / (sum(rate(nebula_function_cpu_seconds_total{${FUNCTION}}[$__rate_interval])) > 0)`, "$function"),
      ask(`sum(rate(nebula_function_energy_joules_total{${SOURCE},component="active"}[$__rate_interval])) / (sum(rate(nebula_function_cpu_seconds_total{${DAEMONS}}[$__rate_interval])) > 0)`, "all functions"),
    ], { unit: "watt", min: 0, fill: 0, overrides: [asked("A", coloured(ACCOUNTS.function)), named("all functions", { ...dashed, ...coloured("#8E8E8E") })] }),
    curves("Power, active and base", "Active is what the calls cause. Base is the function's share, by CPU time, of what the machine draws anyway; it is a view of the account `base`, and no further account.", [
      ask(`sum(rate(${ACTIVE}[$__rate_interval]))`, "active"), ask(`sum(rate(${BASE}[$__rate_interval]))`, "base"),
    ], { unit: "watt", stack: true, min: 0, overrides: [named("active", coloured(ACCOUNTS.function)), named("base", coloured(ACCOUNTS.base))] }),
    curves("Calls by outcome", "Calls a second by how they ended. Rejected ones did not run.", [
      ask(`sum by (outcome) (rate(nebula_invocations_total{${FUNCTION}}[$__rate_interval])) > 0`, "{{outcome}}"),
    ], { unit: "reqps", stack: true, min: 0, overrides: outcomes }),

    row("Time of a call, and cold starts"),
    curves("Where the time goes", "Means of the parts of a call: making an instance, and running. Before both a call may wait for others to end; that is known for all functions together.", [
      ask(mean("nebula_invocation_startup_seconds"), "instance"),
      ask(`(${mean("nebula_invocation_duration_seconds")}) - (${mean("nebula_invocation_startup_seconds")})`, "running"),
      ask(`sum(rate(nebula_invocation_queue_seconds_sum{${DAEMONS}}[$__rate_interval])) / (sum(rate(nebula_invocation_queue_seconds_count{${DAEMONS}}[$__rate_interval])) > 0)`, "waiting, any function"),
    ], { unit: "s", stack: true, min: 0, w: 8, overrides: [named("instance", coloured("#B877D9")), named("running", coloured(COLOURS.a)), named("waiting, any function", { ...coloured(COLOURS.b), ...dashed, "custom.stacking": { mode: "none", group: "B" } })] }),
    curves("Duration", "Time from admission to the end: interpolated within the histogram's buckets.", [0.5, 0.95, 0.99].map((q) => ask(quantile(q, "nebula_invocation_duration_seconds"), `p${q * 100}`)),
      { unit: "s", min: 0, fill: 0, w: 7 }),
    figure("Cold starts", "First calls of a version since the daemon loaded it, over the range that is shown.", [now(`sum(increase(nebula_cold_starts_total{${FUNCTION}}[$__range]))`, "cold starts")], { unit: "short", decimals: 0, spark: false, color: blue, w: 3, h: 8 }),
    figure("Compile time", "Time to compile the version that is served, or to find it in the cache, and to link it.", [now(`max(nebula_cold_start_duration_seconds{${FUNCTION}})`, "duration")], { unit: "s", spark: false, color: blue, w: 3, h: 8 }),
    figure("Preparing", "Energy that compiling, linking and loading this function took over the range that is shown. It is apart from the energy of calls.", [now(`sum(increase(nebula_function_energy_joules_total{${SOURCE},function="$function",component="preparing"}[$__range]))`, "energy")], { unit: "joule", spark: false, color: green, w: 3, h: 8 }),

    row("Versions"),
    curves("Now and before", "Joules per call, and what they were the chosen time before (`Compare with`). Versions are no label of the metrics: a violet mark is the first call of a new version, a blue one a deployment of any function. To see two versions at the same time deploy the new one under a second name and open the dashboard Compare.", [
      ask(mean(JOULES), "now"), ask(mean(JOULES, "[$__rate_interval]", " offset $before"), "$before before"),
    ], { unit: "joule", min: 0, fill: 0, w: 16, overrides: [named("now", { ...coloured(ACCOUNTS.function), "custom.lineWidth": 3 }), asked("B", { ...dashed, ...coloured("#8E8E8E") })] }),
    figure("Against before", "Joules per call within the last `Compare with` as a multiple of those in the stretch of the same length before. Above 1.2 it is orange: the alert `NebulaEnergyPerCallUp` says the same of a week.", [
      now(`(${mean(JOULES, "[$before]")}) / (${mean(JOULES, "[$before]", " offset $before")})`, "now ÷ before"),
    ], { unit: "suffix:×", decimals: 2, spark: false, w: 4, h: 8, noValue: "no calls before", thresholds: steps("green", [1.2, "orange"], [1.5, "red"]) }),
    figure("Change in power", "What the change since then costs, or saves where it is negative, at the present rate of calls.", [
      now(`((${mean(JOULES, "[$before]")}) - (${mean(JOULES, "[$before]", " offset $before")})) * sum(rate(${CALLS}[$before]))`, "watts more"),
    ], { unit: "watt", spark: false, w: 4, h: 8, noValue: "no calls before", thresholds: steps("green", [0, "orange"]) }),

    row("Budget and carbon"),
    bars("Budget used", "Active energy within the last hour as a part of the function's quota. At 100 % its calls are refused.", [
      ask(`max(nebula_quota_joules_used_ratio{${FUNCTION}})`, "used"),
    ], { orientation: "vertical", unit: "percentunit", decimals: 0, max: 1, w: 4, h: 8, thresholds: steps("green", [0.8, "orange"], [0.95, "red"]), noValue: "no quota" }),
    curves("Budget over time", "The same over time, and calls a second that a quota refused (right axis).", [
      ask(`max(nebula_quota_joules_used_ratio{${FUNCTION}})`, "budget used"),
      ask(`sum by (quota) (rate(nebula_quota_rejections_total{${FUNCTION}}[$__rate_interval])) > 0`, "refused by {{quota}}"),
    ], { unit: "percentunit", min: 0, w: 10, noValue: "the function has no quota", overrides: [named("budget used", coloured(COLOURS.b)), { matcher: { id: "byRegexp", options: "/^refused/" }, properties: [{ id: "unit", value: "reqps" }, { id: "custom.axisPlacement", value: "right" }] }] }),
    curves("CO₂e", "Grams an hour at the present power. Needs `carbon.intensity` in the daemon's configuration.", [
      ask(`sum(rate(nebula_function_carbon_grams_total{${FUNCTION}}[$__rate_interval])) * 3600`, "an hour"),
    ], { unit: "massg", min: 0, w: 10, noValue: "carbon.intensity is not set", overrides: [named("an hour", coloured("#8AB8FF"))] }),
    bars("Beside other functions", "Joules per call of the ten functions with the most calls over the range. They do different things; this tells where a call of this function stands among them.", [
      now(`sort_desc((sum by (function) (increase(${JOULES}_sum{${DAEMONS}}[$__range])) / (sum by (function) (increase(${JOULES}_count{${DAEMONS}}[$__range])) > 0)) and on (function) topk(10, sum by (function) (increase(${JOULES}_count{${DAEMONS}}[$__range]))))`, "{{function}}"),
    ], { unit: "joule", w: 24, h: 9, color: { mode: "continuous-GrYlRd" } }),
  ],
});
