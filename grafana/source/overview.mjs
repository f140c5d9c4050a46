// Overview: what draws power now, and what the functions cost.
import { ACCOUNTS, COLOURS, DAEMONS, GRAMS_PER_KWH, LINK_TO_FUNCTION, RANKS, SOURCE, ask, coloured, curves, dashboard, dashed, figure, named, now, outcomes, row, steps, table } from "./panels.mjs";

const ACTIVE = `nebula_function_energy_joules_total{${SOURCE},component="active"}`;
const CALLS = `nebula_invocations_total{${DAEMONS},outcome!="rejected"}`;
const FAILED = `nebula_invocations_total{${DAEMONS},outcome!~"ok|cancelled"}`;

/** The same ten functions at every point of the curves: those that used most until the end of the range. */
const TEN = `topk(10, sum by (function) (increase(${ACTIVE}[$__range] @ end())))`;
const ofTen = (expr) => `${expr} and on (function) ${TEN}`;

/** Of what has a limit. */
const NEARLY_FULL = steps("green", [0.8, "orange"], [0.95, "red"]);

const accounts = Object.entries(ACCOUNTS).map(([name, colour]) => named(name, coloured(colour)));
const failed = `sum(rate(${FAILED}[$__rate_interval])) / (sum(rate(nebula_invocations_total{${DAEMONS}}[$__rate_interval])) > 0)`;

export default dashboard("Overview", "What draws power now, what the functions cost, and whether calls go well.", {
  panels: [
    figure("Machine now", "Power of the zones that may be added (package, dram, or what the source calls its one zone), functions or not.", [
      ask(`sum(rate(nebula_zone_energy_joules_total{${SOURCE}}[$__rate_interval]))`, "all zones"),
    ], { unit: "watt", color: { mode: "fixed", fixedColor: COLOURS.measured } }),
    figure("Functions now", "Power of the calls of all functions: what they add to what the machine draws when idle.", [
      ask(`sum(rate(${ACTIVE}[$__rate_interval]))`, "functions"),
    ], { unit: "watt", color: { mode: "fixed", fixedColor: ACCOUNTS.function } }),
    figure("Energy used", "Energy of the calls of all functions over the range that is shown.", [
      now(`sum(increase(${ACTIVE}[$__range]))`, "functions"),
    ], { unit: "joule", spark: false, color: { mode: "fixed", fixedColor: ACCOUNTS.function } }),
    figure("Joules per call", "Active energy of a call: the mean of all settled calls of all functions.", [
      ask(`sum(rate(nebula_invocation_energy_joules_sum{${DAEMONS}}[$__rate_interval])) / (sum(rate(nebula_invocation_energy_joules_count{${DAEMONS}}[$__rate_interval])) > 0)`, "mean"),
    ], { unit: "joule", color: { mode: "fixed", fixedColor: ACCOUNTS.function } }),
    figure("Calls", "Calls that ran, a second.", [ask(`sum(rate(${CALLS}[$__rate_interval]))`, "calls")], { unit: "reqps", color: { mode: "fixed", fixedColor: ACCOUNTS.runtime } }),
    figure("Failed", "Share of calls that failed: the function told so, trapped, met a limit, or the call was rejected. Calls whose caller hung up do not count.", [
      ask(failed, "failed"),
    ], { unit: "percentunit", decimals: 1, thresholds: steps("green", [0.01, "orange"], [0.05, "red"]) }),
    figure("CO₂e", "Grams over the range that is shown: energy times the carbon intensity when it was used. Needs `carbon.intensity` in the daemon's configuration.", [
      now(`sum(increase(nebula_function_carbon_grams_total{${DAEMONS}}[$__range]))`, "CO₂e"),
    ], { unit: "massg", spark: false, noValue: "not set", color: { mode: "fixed", fixedColor: "#8AB8FF" } }),
    figure("Source", "The source that is read now. Green is measured by counters of the machine; orange is an estimate, or made up. The model knows CPU time alone and ranks functions by it.", [
      now(`group by (source) (nebula_energy_source_info{${DAEMONS},measured="true"})`, "{{source}}"),
      now(`group by (source) (nebula_energy_source_info{${DAEMONS},measured="false"})`, "{{source}}"),
    ], { spark: false, text: "name", overrides: [
      { matcher: { id: "byFrameRefID", options: "A" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: COLOURS.good } }] },
      { matcher: { id: "byFrameRefID", options: "B" }, properties: [{ id: "color", value: { mode: "fixed", fixedColor: COLOURS.warn } }] },
      named("model", { displayName: RANKS }),
    ] }),

    row("Where the power goes"),
    curves("Power by account: active against base", "Who causes the power that is measured. `function` are the calls, `runtime` is the daemon itself, `host` everything else that ran, `base` what the machine draws when nothing runs, `gap` energy that belongs to no window. Together they are exactly what the source measured.", [
      ask(`sum by (account) (rate(nebula_account_energy_joules_total{${SOURCE}}[$__rate_interval]))`, "{{account}}"),
    ], { unit: "watt", stack: true, min: 0, last: true, overrides: accounts }),
    curves("Power by zone", "What the source measures, by zone. Zones that lie inside others are on the dashboard Truth.", [
      ask(`sum by (zone) (rate(nebula_zone_energy_joules_total{${SOURCE}}[$__rate_interval]))`, "{{zone}}"),
    ], { unit: "watt", stack: true, min: 0, last: true, overrides: [named("package", coloured("#F2CC0C")), named("dram", coloured("#8AB8FF"))] }),
    curves("Power by function", "Active power of the ten functions that used most energy over the range, stacked; `all others` is the rest. The ten are the same at every point.", [
      ask(ofTen(`sum by (function) (rate(${ACTIVE}[$__rate_interval]))`), "{{function}}"),
      ask(`clamp_min(sum(rate(${ACTIVE}[$__rate_interval])) - sum(${ofTen(`sum by (function) (rate(${ACTIVE}[$__rate_interval]))`)}), 0)`, "all others"),
    ], { unit: "watt", stack: true, min: 0, w: 24, h: 9, legend: "table", overrides: [named("all others", coloured("#8E8E8E"))] }),

    row("What functions cost"),
    table("Top ten by joules", "The ten functions whose calls used most energy over the range. Preparing is what compiling and loading them took. Base is the share of their calls, by CPU time, in what the machine draws when idle. Click a name to open the function.", ["function"], {
      "Active": { expr: TEN.replace(" @ end()", ""), unit: "joule" },
      "Share": { expr: `topk(10, sum by (function) (increase(${ACTIVE}[$__range]))) / scalar(sum(increase(${ACTIVE}[$__range])))`, unit: "percentunit", decimals: 1, width: 240, cell: { type: "gauge", mode: "basic", valueDisplayMode: "text" }, color: { mode: "fixed", fixedColor: ACCOUNTS.function }, min: 0, max: 1 },
      "Preparing": { expr: ofTen(`sum by (function) (increase(nebula_function_energy_joules_total{${SOURCE},component="preparing"}[$__range]))`), unit: "joule" },
      "Base": { expr: ofTen(`sum by (function) (increase(nebula_function_energy_joules_total{${SOURCE},component="base"}[$__range]))`), unit: "joule" },
      "Calls": { expr: ofTen(`sum by (function) (increase(${CALLS}[$__range]))`), unit: "locale", decimals: 0 },
      "Joules per call": { expr: ofTen(`sum by (function) (increase(nebula_invocation_energy_joules_sum{${DAEMONS}}[$__range])) / (sum by (function) (increase(nebula_invocation_energy_joules_count{${DAEMONS}}[$__range])) > 0)`), unit: "joule" },
      "CPU time": { expr: ofTen(`sum by (function) (increase(nebula_function_cpu_seconds_total{${DAEMONS}}[$__range]))`), unit: "s" },
      "Failed": { expr: ofTen(`sum by (function) (increase(${FAILED}[$__range])) / (sum by (function) (increase(nebula_invocations_total{${DAEMONS}}[$__range])) > 0)`), unit: "percentunit", decimals: 1 },
      "CO₂e": { expr: ofTen(`sum by (function) (increase(nebula_function_carbon_grams_total{${DAEMONS}}[$__range]))`), unit: "massg" },
    }, { sort: "Active", width: 135, h: 12, overrides: [named("Function", { links: LINK_TO_FUNCTION })], rename: { function: "Function" } }),
    curves("Joules per call", "Active energy of a call, by function: means of settled calls. The axis is logarithmic, as functions differ by orders of magnitude.", [
      ask(ofTen(`sum by (function) (rate(nebula_invocation_energy_joules_sum{${DAEMONS}}[$__rate_interval])) / (sum by (function) (rate(nebula_invocation_energy_joules_count{${DAEMONS}}[$__rate_interval])) > 0)`), "{{function}}"),
    ], { unit: "joule", fill: 0, scale: { type: "log", log: 10 }, h: 9 }),
    curves("CO₂e an hour", "Grams an hour that the functions cause at their present power, and the carbon intensity of the electricity (right axis). Needs `carbon.intensity` in the daemon's configuration.", [
      ask(`sum(rate(nebula_function_carbon_grams_total{${DAEMONS}}[$__rate_interval])) * 3600`, "CO₂e an hour"),
      ask(`avg(nebula_carbon_intensity_grams_per_kilowatt_hour{${DAEMONS}})`, "carbon intensity"),
    ], { unit: "massg", min: 0, h: 9, noValue: "carbon.intensity is not set", overrides: [named("CO₂e an hour", coloured("#8AB8FF")), named("carbon intensity", { unit: GRAMS_PER_KWH, "custom.axisPlacement": "right", ...dashed, ...coloured("#8E8E8E") })] }),

    row("Calls"),
    curves("Calls by outcome", "Calls a second by how they ended. Rejected ones did not run.", [
      ask(`sum by (outcome) (rate(nebula_invocations_total{${DAEMONS}}[$__rate_interval])) > 0`, "{{outcome}}"),
    ], { unit: "reqps", stack: true, min: 0, w: 8, overrides: outcomes }),
    curves("Duration", "Time of a call from its admission to its end, of all functions: interpolated within the histogram's buckets.", [
      ...[0.5, 0.95, 0.99].map((q) => ask(`histogram_quantile(${q}, sum by (le) (rate(nebula_invocation_duration_seconds_bucket{${DAEMONS}}[$__rate_interval])))`, `p${q * 100}`)),
    ], { unit: "s", min: 0, fill: 0, w: 8 }),
    curves("Running and waiting", "Calls that run now, and how long calls waited for others to end before they were admitted (right axis, the slowest one in a hundred).", [
      ask(`sum(nebula_in_flight_invocations{${DAEMONS}})`, "running"),
      ask(`histogram_quantile(0.99, sum by (le) (rate(nebula_invocation_queue_seconds_bucket{${DAEMONS}}[$__rate_interval])))`, "wait, p99"),
    ], { unit: "short", min: 0, w: 8, overrides: [named("wait, p99", { unit: "s", "custom.axisPlacement": "right", ...dashed })] }),

    row("Limits and changes"),
    curves("Power cap", "Active power of all functions as the cap sees it, and the cap (`power.max`). At the cap new calls wait (right axis), and are refused when they waited too long.", [
      ask(`sum(nebula_functions_active_watts{${DAEMONS}})`, "functions"),
      ask(`sum(nebula_power_cap_watts{${DAEMONS}})`, "cap"),
      ask(`sum(nebula_power_cap_waiting{${DAEMONS}})`, "waiting calls"),
    ], { unit: "watt", min: 0, w: 8, noValue: "power.max is not set", overrides: [named("functions", coloured(ACCOUNTS.function)), named("cap", { ...dashed, ...coloured(COLOURS.bad) }), named("waiting calls", { unit: "short", "custom.axisPlacement": "right", "custom.axisSoftMax": 10, ...coloured(COLOURS.b) })] }),
    curves("Energy budgets used", "Active energy of functions within the last hour as a part of what their quota allows; the ten nearest to it. At 100 % calls are refused.", [
      ask(`topk(10, max by (function) (nebula_quota_joules_used_ratio{${DAEMONS}}) > 0.001)`, "{{function}}"),
    ], { unit: "percentunit", min: 0, w: 8, fill: 0, noValue: "no function has a quota of joules" }),
    curves("Refused by quotas", "Calls a second that were answered with 429, by which quota of whom they met.", [
      ask(`sum by (function, quota) (rate(nebula_quota_rejections_total{${DAEMONS}}[$__rate_interval])) > 0`, "{{function}}, {{quota}}"),
      ask(`sum(rate(nebula_power_cap_rejections_total{${DAEMONS}}[$__rate_interval])) > 0`, "the power cap"),
    ], { unit: "reqps", min: 0, w: 8, lines: false, noValue: "none" }),
    curves("Changes of what is served", "Deployments by what came of them, as many as in each step.", [
      ask(`sum by (result) (increase(nebula_deployments_total{${DAEMONS}}[$__rate_interval])) > 0`, "{{result}}"),
    ], { unit: "short", min: 0, w: 12, h: 6, lines: false, noValue: "none", overrides: [named("deployed", coloured(COLOURS.a)), named("broken", coloured(COLOURS.bad)), named("unchanged", coloured("#8E8E8E")), named("removed", coloured(COLOURS.b))] }),
    figure("Functions", "Functions that can be called.", [ask(`sum(nebula_functions{${DAEMONS}})`, "served")], { unit: "short", w: 4, h: 6, color: { mode: "fixed", fixedColor: ACCOUNTS.runtime } }),
    figure("Broken files", "Files in the directory of functions that are not served as they are. `GET /functions` tells why.", [
      ask(`sum(nebula_broken_functions{${DAEMONS}})`, "broken"),
    ], { unit: "short", w: 4, h: 6, thresholds: steps("green", [1, "red"]) }),
    figure("Daemons", "Daemons that answer Prometheus now.", [
      ask(`sum(up{${DAEMONS}})`, "up"),
    ], { unit: "short", w: 4, h: 6, thresholds: steps("red", [1, "green"]) }),

    row("The daemons themselves"),
    table("Daemons", "What runs, since when, and what it takes. Shares of a limit are orange from 80 % on.", ["instance", "version"], {
      "Up for": { expr: `max by (instance, version) ((time() - process_start_time_seconds{${DAEMONS}}) * on (job, instance) group_left (version) nebula_build_info{${DAEMONS}})`, unit: "s", decimals: 0 },
      "CPU": { expr: `sum by (instance) (rate(process_cpu_seconds_total{${DAEMONS}}[$__range]))`, unit: "percentunit", decimals: 0 },
      "Memory": { expr: `sum by (instance) (process_resident_memory_bytes{${DAEMONS}})`, unit: "bytes" },
      "Threads": { expr: `sum by (instance) (process_threads{${DAEMONS}})`, unit: "short" },
      "Connections": { expr: `sum by (instance) (nebula_connections{${DAEMONS}})`, unit: "short" },
      "Descriptors": { expr: `max by (instance) (process_open_fds{${DAEMONS}} / process_max_fds{${DAEMONS}})`, unit: "percentunit", decimals: 1, thresholds: NEARLY_FULL, color: { mode: "thresholds" }, cell: { type: "color-text" } },
      "Fullest pool": { expr: `max by (instance) (nebula_pool_slots_used{${DAEMONS}} / nebula_pool_slots{${DAEMONS}})`, unit: "percentunit", decimals: 1, thresholds: NEARLY_FULL, color: { mode: "thresholds" }, cell: { type: "color-text" } },
    }, { h: 5, rename: { instance: "Daemon", version: "Version" } }),
    curves("CPU time", "Of the whole daemon, of its calls, and of the thread that reads the source and keeps the accounts, in processors.", [
      ask(`sum(rate(process_cpu_seconds_total{${DAEMONS}}[$__rate_interval]))`, "daemon"),
      ask(`sum(rate(nebula_function_cpu_seconds_total{${DAEMONS}}[$__rate_interval]))`, "its calls"),
      ask(`sum(rate(nebula_meter_cpu_seconds_total{${DAEMONS}}[$__rate_interval]))`, "its meter"),
    ], { unit: "percentunit", min: 0, w: 8, fill: 0, overrides: [named("daemon", coloured(ACCOUNTS.runtime)), named("its calls", coloured(ACCOUNTS.function)), named("its meter", { ...dashed, ...coloured("#8E8E8E") })] }),
    curves("Memory", "What is resident, and what of it is kept for the next calls' instances.", [
      ask(`sum(process_resident_memory_bytes{${DAEMONS}})`, "resident"),
      ask(`sum(nebula_pool_resident_bytes{${DAEMONS}})`, "kept for calls"),
    ], { unit: "bytes", min: 0, w: 8, overrides: [named("resident", coloured(ACCOUNTS.runtime)), named("kept for calls", coloured("#B877D9"))] }),
    curves("Pools for instances", "Slots that calls have, as a part of those that were set up in advance (`limits.concurrency`). When one pool is full new calls wait.", [
      ask(`max by (pool) (nebula_pool_slots_used{${DAEMONS}} / nebula_pool_slots{${DAEMONS}})`, "{{pool}}"),
    ], { unit: "percentunit", min: 0, w: 8, fill: 0, noValue: "instances are made on demand" }),
    curves("Connections and descriptors", "Connections of callers, clients that listen to `/events`, and files and sockets that are open in all.", [
      ask(`sum(nebula_connections{${DAEMONS}})`, "connections"),
      ask(`sum(nebula_event_clients{${DAEMONS}})`, "of /events"),
      ask(`sum(process_open_fds{${DAEMONS}})`, "descriptors"),
    ], { unit: "short", min: 0, w: 12, fill: 0, overrides: [named("connections", coloured(ACCOUNTS.function)), named("of /events", coloured("#B877D9")), named("descriptors", { ...dashed, ...coloured("#8E8E8E") })] }),
    curves("Compiled code", "Functions that were to be compiled, as many as in each step: `hit` was kept from an earlier time. The size of what is kept, and its limit (`cache.size`), are on the right axis.", [
      ask(`sum by (result) (increase(nebula_code_cache_requests_total{${DAEMONS}}[$__rate_interval]))`, "{{result}}"),
      ask(`sum(nebula_code_cache_bytes{${DAEMONS}})`, "kept"),
      ask(`sum(nebula_code_cache_max_bytes{${DAEMONS}})`, "limit"),
    ], { unit: "short", min: 0, w: 12, noValue: "nothing is kept (`cache.dir`)", overrides: [named("hit", { ...coloured(COLOURS.good), "custom.drawStyle": "bars", "custom.fillOpacity": 60 }), named("miss", { ...coloured(COLOURS.warn), "custom.drawStyle": "bars", "custom.fillOpacity": 60 }), named("kept", { unit: "bytes", "custom.axisPlacement": "right", ...coloured(ACCOUNTS.runtime) }), named("limit", { unit: "bytes", "custom.axisPlacement": "right", ...dashed, ...coloured(COLOURS.bad) })] }),
  ],
});
