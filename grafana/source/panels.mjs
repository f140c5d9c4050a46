// What panels and dashboards have in common, so that a dashboard's file holds only what it asks and what it says.

/** Everything goes through the variable, so that a dashboard can be looked at with any Prometheus. */
const PROMETHEUS = { type: "prometheus", uid: "${datasource}" };

/** Labels of the daemons that are looked at. */
export const DAEMONS = 'job=~"$job",instance=~"$instance"';
/** The same, and of one source: joules that were measured and joules that were estimated are never added. */
export const SOURCE = `${DAEMONS},source="$source"`;

/** Every account has one colour everywhere. */
export const ACCOUNTS = { function: "#73BF69", runtime: "#5794F2", host: "#B877D9", base: "#8E8E8E", gap: "#F2495C" };
/** What the joules of the model are good for, beside its name. */
export const RANKS = "model: ranks by CPU time";

/** What is measured, what is A, what is B. */
export const COLOURS = { measured: "#F2CC0C", a: "#5794F2", b: "#FF9830", good: "#73BF69", warn: "#FF9830", bad: "#F2495C" };

/** How calls end, from well to ill. */
const OUTCOMES = { ok: "#73BF69", error: "#F2495C", trap: "#C4162A", timeout: "#FF9830", over_budget: "#FADE2A", cancelled: "#8E8E8E", rejected: "#B877D9" };

export const GRAMS_PER_KWH = "suffix:g/kWh";

/** A bucket by its bound, however it is written: Prometheus 3 stores `1` as `1.0` and `0.00001` as `1e-05`. */
export function le(bound) {
  const number = Number(bound);
  const exponent = number.toExponential().replace(/e-(\d)$/, "e-0$1");
  const also = Number.isInteger(number) ? `${bound}.0` : number < 1e-4 ? exponent : undefined;
  const pattern = [bound, also].filter(Boolean).map((text) => text.replaceAll(".", "[.]")).join("|");
  return also ? `le=~"${pattern}"` : `le="${bound}"`;
}

/** One query. */
export const ask = (expr, legend = "", more = {}) => ({ expr: expr.replace(/\s+/g, " ").trim(), legendFormat: legend, ...more });

/** A query for one moment, at the end of the range. */
export const now = (expr, legend, more = {}) => ask(expr, legend, { instant: true, range: false, ...more });

/** A query for a column of a table. */
export const column = (expr) => now(expr, "", { format: "table" });

const REFS = "ABCDEFGHIJKLMNOP";

function panel(type, title, description, targets, { unit, decimals, min, max, w, h, overrides = [], thresholds, custom, mappings, color, noValue, transformations, displayName, links, under }, options) {
  if (!description) throw new Error(`the panel \`${title}\` has no description`);
  const defaults = {
    unit, decimals, min, max, displayName, noValue, mappings, custom, links,
    color: color ?? { mode: thresholds ? "thresholds" : "palette-classic" },
    thresholds: { mode: "absolute", steps: thresholds ?? [{ color: "green", value: null }] },
  };
  return {
    type, title, description, datasource: PROMETHEUS, w, h, under,
    targets: targets.map((target, index) => ({ refId: REFS[index], datasource: PROMETHEUS, editorMode: "code", range: true, ...target })),
    fieldConfig: { defaults: JSON.parse(JSON.stringify(defaults)), overrides },
    options, transformations,
  };
}

/** Properties of the series that a query or a name gives. */
export const named = (name, properties) => override({ id: "byName", options: name }, properties);
export const matching = (pattern, properties) => override({ id: "byRegexp", options: pattern }, properties);
const override = (matcher, properties) => ({ matcher, properties: Object.entries(properties).map(([id, value]) => ({ id, value })) });
/** The series that the first, second, … query gives: for those whose names hold variables. */
export const asked = (ref, properties) => override({ id: "byFrameRefID", options: ref }, properties);
export const coloured = (colour) => ({ color: { mode: "fixed", fixedColor: colour } });
export const dashed = { "custom.lineStyle": { fill: "dash", dash: [8, 6] }, "custom.fillOpacity": 0 };

export const outcomes = Object.entries(OUTCOMES).map(([name, colour]) => named(name, coloured(colour)));

/** Steps of a threshold: the first colour holds below the first value. */
export const steps = (first, ...further) => [{ color: first, value: null }, ...further.map(([value, color]) => ({ color, value }))];

/** Curves over time. With `last` the legend tells their last values. */
export function curves(title, description, targets, { stack = false, percent = false, fill, legend = "list", last = false, points = stack ? "never" : "auto", lines = true, axis, scale, line, interpolation = "linear", ...more } = {}) {
  const custom = {
    drawStyle: lines ? "line" : "bars", lineInterpolation: interpolation, lineWidth: line ?? (stack ? 1 : 2), fillOpacity: fill ?? (stack ? 35 : lines ? 8 : 60), gradientMode: "none",
    showPoints: points, pointSize: 4, spanNulls: false, axisLabel: axis ?? "", axisPlacement: "auto", axisColorMode: "text", axisBorderShow: false, axisCenteredZero: false,
    stacking: { mode: stack ? (percent ? "percent" : "normal") : "none", group: "A" }, scaleDistribution: scale ?? { type: "linear" },
    hideFrom: { legend: false, tooltip: false, viz: false }, thresholdsStyle: { mode: "off" }, barAlignment: 0, insertNulls: false,
  };
  const calcs = legend === "table" ? ["mean", "max"] : last ? ["lastNotNull"] : [];
  return panel("timeseries", title, description, targets, { custom, w: 12, h: 8, ...more, color: more.color ?? { mode: "palette-classic" } }, {
    legend: { displayMode: legend, placement: legend === "table" ? "right" : "bottom", showLegend: true, calcs, ...(legend === "table" ? { width: 340, sortBy: "Mean", sortDesc: true } : {}) },
    tooltip: { mode: "multi", sort: "desc" },
  });
}

/** One figure, with its course behind it. */
export function figure(title, description, targets, { calc = "lastNotNull", spark = false, text = "auto", colourMode = "value", ...more } = {}) {
  return panel("stat", title, description, targets, { w: 3, h: 4, ...more }, {
    reduceOptions: { calcs: [calc], fields: "", values: false }, orientation: "auto", textMode: text, colorMode: colourMode,
    graphMode: spark ? "area" : "none", justifyMode: "auto", wideLayout: true, showPercentChange: false, percentChangeColorMode: "standard",
  });
}

/** Bars beside each other, one for each series. */
export function bars(title, description, targets, { orientation = "horizontal", ...more } = {}) {
  return panel("bargauge", title, description, targets, { w: 12, h: 8, min: 0, ...more }, {
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false }, orientation, displayMode: "basic", valueMode: "color", namePlacement: "auto",
    showUnfilled: true, sizing: "auto", minVizWidth: 8, minVizHeight: 14, maxVizHeight: 300, legend: { displayMode: "list", placement: "bottom", showLegend: false, calcs: [] },
  });
}

/** A table: each query a column, the rows by `by`. `columns` names the columns in the order of the queries. */
export function table(title, description, by, columns, { sort, rename = {}, width: each, ...more } = {}) {
  const queries = Object.entries(columns);
  const names = Object.fromEntries(queries.map(([name], index) => [queries.length > 1 ? `Value #${REFS[index]}` : "Value", name]));
  const order = [...by, ...Object.keys(names)];
  const transformations = [
    ...(queries.length > 1 ? [{ id: "merge", options: {} }] : []),
    { id: "organize", options: { excludeByName: { Time: true }, indexByName: Object.fromEntries(order.map((name, index) => [name, index])), renameByName: { ...names, ...rename } } },
    ...(sort ? [{ id: "sortBy", options: { fields: {}, sort: [{ field: sort, desc: true }] } }] : []),
  ];
  const overrides = queries.map(([name, { unit, decimals, cell, min, max, color, thresholds, mappings, width }]) => named(name, JSON.parse(JSON.stringify({
    unit, decimals, min, max, color, mappings, "custom.cellOptions": cell, "custom.width": width ?? each, thresholds: thresholds && { mode: "absolute", steps: thresholds },
  }))));
  return panel("table", title, description, queries.map(([, { expr }]) => column(expr)), {
    w: 24, h: 9, custom: { align: "auto", cellOptions: { type: "auto" }, inspect: false, filterable: false }, ...more,
    overrides: [...overrides, ...(more.overrides ?? [])], transformations,
  }, { showHeader: true, cellHeight: "sm", footer: { show: false, reducer: ["sum"], countRows: false, fields: "" } });
}

/** A heading. */
export const row = (title) => ({ type: "row", title, w: 24, h: 1 });

const query = (name, label, expr, more = {}) => ({
  type: "query", name, label, datasource: PROMETHEUS, definition: expr, query: { query: expr, refId: `variable-${name}`, qryType: 1 },
  refresh: 2, sort: 1, regex: "", hide: 0, multi: false, includeAll: false, options: [], skipUrlSync: false, ...more,
});

/** A function's name. */
export const functionVariable = (name, label, description) =>
  query(name, label, `label_values(nebula_invocations_total{${DAEMONS}}, function)`, { description });

/** One of a few. */
export const choice = (name, label, description, ...values) => {
  const options = values.map((value) => (typeof value === "string" ? { text: value, value } : value)).map((option, index) => ({ ...option, selected: index === 0 }));
  const query = options.map(({ text, value }) => (text === value ? value : `${text} : ${value}`)).join(",");
  return { type: "custom", name, label, description, query, multi: false, includeAll: false, hide: 0, skipUrlSync: false, options, current: options[0] };
};

const COMMON = [
  { type: "datasource", name: "datasource", label: "Prometheus", description: "The Prometheus that scrapes the daemons.", query: "prometheus", regex: "", refresh: 1, hide: 0, multi: false, includeAll: false, options: [], skipUrlSync: false, current: {} },
  query("job", "Job", "label_values(nebula_functions, job)", { description: "The scrape job of the daemons." }),
  query("instance", "Instance", 'label_values(nebula_functions{job=~"$job"}, instance)', { description: "One daemon, several, or all of them.", multi: true, includeAll: true, current: { text: ["All"], value: ["$__all"] } }),
  // From the end of the alphabet, so that a measured source comes before `model` when both were read.
  query("source", "Source", `label_values(nebula_zone_energy_joules_total{${DAEMONS}}, source)`, { sort: 2, description: "Where joules come from. Only one at a time: what was measured and what was estimated do not add up." }),
];

/** Marks on every curve. */
const mark = (name, query, colour, title) => {
  const expr = query.replace(/\s+/g, " ").trim();
  // Both where Grafana looks since version 9 and where it did before.
  return { name, enable: true, hide: false, iconColor: colour, datasource: PROMETHEUS, expr, step: "", titleFormat: title, textFormat: "", tagKeys: "", useValueForTime: false, target: { refId: "Anno", expr, interval: "" } };
};

export const deployments = () => mark("Deployments", `sum by (instance) (increase(nebula_deployments_total{${DAEMONS},result="deployed"}[$__rate_interval])) > 0`, "blue", "Something was deployed on {{instance}}");
export const newVersions = () => mark("New versions", `sum by (function) (increase(nebula_cold_starts_total{${DAEMONS},function="$function"}[$__rate_interval])) > 0`, "purple", "First call of a version of {{function}}");

/** Puts panels beside each other, from the left, as many as fit in 24 columns; or under the one before. */
function placed(panels) {
  let [x, y, height, above] = [0, 0, 0, undefined];
  return panels.map(({ w, h, under, ...panel }, index) => {
    if (!under && x + w > 24) [x, y, height] = [0, y + height, 0];
    const gridPos = under ? { h, w, x: above.x, y: above.y + above.h } : { h, w, x, y };
    above = gridPos;
    [x, height] = [gridPos.x + w, Math.max(height, gridPos.y + h - y)];
    return { id: index + 1, ...(panel.type === "row" ? { collapsed: false, panels: [] } : {}), ...panel, gridPos };
  });
}

const UIDS = { Overview: "nebula-overview", Function: "nebula-function", Truth: "nebula-truth", Compare: "nebula-compare" };

/** A whole dashboard. */
export function dashboard(name, description, { variables = [], annotations = [deployments()], panels }) {
  const others = Object.entries(UIDS).filter(([other]) => other !== name);
  return {
    id: null, uid: UIDS[name], title: `Nebula / ${name}`, description, tags: ["nebula", "energy"], schemaVersion: 41, version: 1, editable: true, graphTooltip: 1, fiscalYearStartMonth: 0, weekStart: "",
    time: { from: "now-1h", to: "now" }, timezone: "", refresh: "30s", timepicker: {}, liveNow: false, preload: false,
    links: others.map(([title, uid]) => ({ type: "link", title, url: `/d/${uid}`, icon: "dashboard", tooltip: "", tags: [], asDropdown: false, includeVars: true, keepTime: true, targetBlank: false })),
    templating: { list: [...COMMON, ...variables] },
    annotations: { list: [{ builtIn: 1, datasource: { type: "grafana", uid: "-- Grafana --" }, enable: true, hide: true, iconColor: "rgba(0, 211, 255, 1)", name: "Annotations & Alerts", type: "dashboard" }, ...annotations] },
    panels: placed(panels),
  };
}

export const LINK_TO_FUNCTION = [{ title: "Look at this function", url: `/d/${UIDS.Function}?var-function=\${__value.text}&\${datasource:queryparam}&\${job:queryparam}&\${instance:queryparam}&\${source:queryparam}&\${__url_time_range}` }];
