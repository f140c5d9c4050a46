// A data source that asks Prometheus as Grafana's own does: variables, steps, legends, tables.
import { FieldType, LoadingState } from "@grafana/data";
import { RuntimeDataSource, sceneGraph } from "@grafana/scenes";

export const UID = "prometheus-under-test";

export class Prometheus extends RuntimeDataSource {
  constructor(address, scrapeSeconds) {
    super("prometheus", UID);
    this.address = address;
    this.scrapeMs = scrapeSeconds * 1000;
    // What the provisioned data source says in `timeInterval`.
    this.interval = `${scrapeSeconds}s`;
  }

  async ask(path, parameters) {
    const answer = await fetch(`${this.address}/api/v1/${path}`, { method: "POST", body: new URLSearchParams(parameters) });
    const json = await answer.json();
    if (json.status !== "success") throw new Error(json.error);
    return json.data;
  }

  /** With every variable filled in. */
  fill(text, scopedVars, intervalMs, range) {
    const scene = scopedVars.__sceneObject.value.valueOf();
    const seconds = Math.round((range.to.valueOf() - range.from.valueOf()) / 1000);
    const builtIn = {
      // The newer of Grafana's two definitions: at least four scrapes, and one more than a step.
      __rate_interval: `${Math.max(intervalMs + this.scrapeMs, 4 * this.scrapeMs) / 1000}s`,
      __interval: `${intervalMs / 1000}s`,
      __range: `${seconds}s`,
    };
    const withBuiltIn = text.replace(/\$(__rate_interval|__interval|__range)\b/g, (_, name) => builtIn[name]);
    return sceneGraph.interpolate(scene, withBuiltIn, scopedVars, (value) => (Array.isArray(value) ? value.length === 1 ? escaped(value[0]) : `(${value.map(escaped).join("|")})` : `${value}`));
  }

  async query(request) {
    const frames = await Promise.all(request.targets.map((target) => this.one(target, request)));
    return { data: frames.flat(), state: LoadingState.Done };
  }

  async one(target, { targets, range, intervalMs, scopedVars }) {
    // A query may set the least step, in seconds.
    const step = Math.max(intervalMs, this.scrapeMs, 1000 * Number.parseInt(target.interval ?? "0s", 10));
    const query = this.fill(target.expr, scopedVars, step, range);
    const legend = this.fill(target.legendFormat ?? "", scopedVars, step, range);
    const [from, to] = [range.from, range.to].map((time) => Math.floor(time.valueOf() / step) * step / 1000);
    if (target.format === "table") return [this.table(target.refId, targets.length, (await this.ask("query", { query, time: range.to.valueOf() / 1000 })).result)];
    const { result } = target.instant
      ? await this.ask("query", { query, time: range.to.valueOf() / 1000 })
      : await this.ask("query_range", { query, start: from, end: to, step: step / 1000 });
    const times = target.instant ? undefined : Array.from({ length: Math.round((to - from) * 1000 / step) + 1 }, (_, index) => Math.round(from * 1000 + index * step));
    return result.map((series) => this.series(target, legend, series, times));
  }

  series({ refId }, legend, { metric, value, values }, times) {
    const byTime = new Map((values ?? [value]).map(([time, text]) => [Math.round(time * 1000), Number(text)]));
    const at = times ?? [...byTime.keys()];
    // Points that are missing are gaps in the curve.
    const numbers = at.map((time) => byTime.get(time) ?? null);
    const name = legend ? legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? "") : shown(metric);
    return {
      refId, name, length: at.length, meta: { type: "timeseries-multi" },
      fields: [
        { name: "Time", type: FieldType.time, config: { interval: times && times.length > 1 ? times[1] - times[0] : undefined }, values: at },
        { name: "Value", type: FieldType.number, labels: metric, config: { displayNameFromDS: name }, values: numbers },
      ],
    };
  }

  table(refId, queries, result) {
    const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
    return {
      refId, length: result.length,
      fields: [
        { name: "Time", type: FieldType.time, config: {}, values: result.map(({ value }) => value[0] * 1000) },
        ...labels.map((label) => ({ name: label, type: FieldType.string, config: {}, values: result.map(({ metric }) => metric[label] ?? "") })),
        { name: queries > 1 ? `Value #${refId}` : "Value", type: FieldType.number, config: {}, values: result.map(({ value }) => Number(value[1])) },
      ],
    };
  }

  /** `label_values(metric, label)`, the only kind of variable query that there is. */
  async metricFindQuery(query, { scopedVars, range }) {
    const filled = this.fill(query.query ?? query, scopedVars, this.scrapeMs, range);
    const [, series, label] = /^label_values\((.+),\s*(\w+)\)$/.exec(filled);
    const answer = await fetch(`${this.address}/api/v1/label/${label}/values?${new URLSearchParams({ "match[]": series, start: range.from.valueOf() / 1000, end: range.to.valueOf() / 1000 })}`);
    return (await answer.json()).data.map((text) => ({ text }));
  }
}

const escaped = (value) => (value === ".*" || value === ".+" ? value : value.replace(/[\\^$*+?.()|[\]{}]/g, "\\\\$&"));

const shown = ({ __name__: name = "", ...labels }) => `${name}{${Object.entries(labels).map(([label, value]) => `${label}="${value}"`).join(", ")}}`;
