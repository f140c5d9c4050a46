// Asks Prometheus everything that dashboards, rules and alerts ask.
import { panelsOf } from "./dashboards.mjs";
import { MAY_BE_EMPTY, QUIET_RULES } from "./expected.mjs";

export class Asking {
  /** `range` in seconds since the epoch; a step is what a panel of some 800 pixels has. */
  constructor({ daemon, prometheus }, { from, to, scrapeSeconds }) {
    Object.assign(this, { daemon, prometheus, from, to, scrapeSeconds, step: Math.max(scrapeSeconds, Math.ceil((to - from) / 400)) });
  }

  async ask(path, parameters, method = "POST") {
    const body = new URLSearchParams(parameters);
    const url = `${this.prometheus}/api/v1/${path}`;
    const answer = await (method === "POST" ? fetch(url, { method, body }) : fetch(`${url}?${body}`));
    const json = await answer.json();
    if (json.status !== "success") throw new Error(json.error);
    return json.data;
  }

  /** A step, where the query sets a least one. */
  stepOf(interval = "0s") {
    return Math.max(this.step, Number.parseInt(interval, 10));
  }

  /** Fills in what Grafana would. */
  fill(query, chosen, step = this.step) {
    const builtIn = { __rate_interval: `${Math.max(step + this.scrapeSeconds, 4 * this.scrapeSeconds)}s`, __interval: `${step}s`, __range: `${Math.round(this.to - this.from)}s` };
    return query.replace(/\$(\w+)/g, (whole, name) => builtIn[name] ?? chosen[name] ?? whole);
  }

  /** The last value of each series. */
  async values(query, { instant, step = this.step }) {
    const { result, resultType } = instant
      ? await this.ask("query", { query, time: this.to })
      : await this.ask("query_range", { query, start: this.from, end: this.to, step });
    if (resultType === "scalar") return [Number(result[1])];
    return result.map(({ value, values }) => (values ?? [value]).map(([, text]) => Number(text)).filter(Number.isFinite).at(-1)).filter((value) => value !== undefined);
  }

  /** The values that each variable offers; the chosen one, or the first. */
  async variables({ uid, templating }, choices) {
    const chosen = {};
    const told = [];
    for (const { name, type, query, includeAll, current, sort } of templating.list) {
      if (type === "custom") chosen[name] = choices[name] ?? current.value;
      if (type !== "query") continue;
      const [, series, label] = /^label_values\((.+),\s*(\w+)\)$/.exec(this.fill(query.query, chosen));
      const path = `label/${label}/values`;
      const values = await this.ask(path, { "match[]": series, start: this.from, end: this.to }, "GET");
      if (sort === 2) values.reverse();
      chosen[name] = includeAll ? ".+" : choices[name] ?? values[0];
      told.push({ dashboard: uid, name, values, wrong: values.length === 0 ? "it offers nothing" : includeAll || values.includes(chosen[name]) ? undefined : `it does not offer \`${chosen[name]}\`` });
    }
    return { chosen, told };
  }

  /** Why the last call beside a curve is none that the daemon knows, with these joules, if so. */
  async exemplar(query) {
    const series = await this.ask("query_exemplars", { query, start: this.from, end: this.to });
    const last = series.flatMap(({ exemplars }) => exemplars).sort((a, b) => a.timestamp - b.timestamp).at(-1);
    if (!last) return "it has no exemplars";
    const id = last.labels.invocation_id;
    const answer = await fetch(`${this.daemon}/invocations/${id}`);
    const joules = answer.ok ? (await answer.json()).energy?.active_joules : undefined;
    // Either may be rounded to a microjoule.
    return Math.abs(joules - Number(last.value)) <= 1e-6 ? undefined : `the call ${id} has ${last.value} J, and the daemon says ${answer.status}, ${joules}`;
  }

  /** Every query of every panel, and every annotation. */
  async dashboard(dashboard, choices) {
    const { chosen, told } = await this.variables(dashboard, choices);
    const rows = [];
    const queries = [
      ...panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ refId, expr, instant, exemplar, interval }) => ({ panel: title, ref: refId, expr, instant: Boolean(instant), exemplar, step: this.stepOf(interval) }))),
      ...dashboard.annotations.list.filter(({ expr }) => expr).map(({ name, expr }) => ({ panel: `annotation ${name}`, ref: "A", expr, instant: false })),
    ];
    for (const { panel, ref, expr, instant, exemplar, step } of queries) {
      const query = this.fill(expr, chosen, step);
      const row = { dashboard: dashboard.uid, panel, ref, query, asWritten: expr, values: [] };
      rows.push(row);
      if (/\$\w/.test(query)) row.wrong = "a variable is not filled in";
      await this.values(query, { instant, step }).then((values) => (row.values = values), (error) => (row.wrong = error.message));
      if (exemplar) row.wrong ??= await this.exemplar(query);
      if (row.wrong || row.values.length > 0) continue;
      const allowed = MAY_BE_EMPTY.find(([uid, title, letter]) => uid === dashboard.uid && title === panel && letter === ref);
      if (allowed) row.excused = allowed[3];
      else row.wrong = "it is empty under load";
    }
    return { rows, variables: told };
  }

  /** Every rule that Prometheus has loaded. Alerts are asked without the comparison at their end, as it is well that they are silent. */
  async rules() {
    const rows = [];
    const { groups } = await this.ask("rules", {}, "GET");
    for (const { name, query, health, lastError, type, state } of groups.flatMap(({ rules }) => rules)) {
      const asked = type === "alerting" ? query.replace(/\s(?:>|<|==|!=)\s-?[\d.e-]+(?=$|\s+or\s)/g, "").replace(/\sand\s[^]*$/, "").replace(/\s>\s[\d.]+$/, "") : query;
      const row = { dashboard: type === "alerting" ? "alerts" : "rules", panel: name, ref: "", query: asked, asWritten: asked.replace(/\s+/g, " ").trim(), values: [] };
      rows.push(row);
      if (health !== "ok") row.wrong = `Prometheus says ${health}: ${lastError}`;
      await this.values(query, { instant: true }).catch((error) => (row.wrong = error.message));
      await this.values(asked, { instant: true }).then((values) => (row.values = values), (error) => (row.wrong = error.message));
      row.state = state;
      if (row.wrong || row.values.length > 0) continue;
      if (QUIET_RULES[name]) row.excused = QUIET_RULES[name];
      else row.wrong = "it sees nothing under load";
    }
    return rows;
  }
}
