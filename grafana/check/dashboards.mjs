// The dashboards as they are provisioned: what they ask, and whether they keep to the conventions.
import { readFileSync, readdirSync } from "node:fs";

const FOLDER = new URL("../dashboards/", import.meta.url);

export const dashboards = () => readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort().map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")));

/** The panels that show something. */
export const panelsOf = ({ panels }) => panels.filter(({ type }) => type !== "row");

/** The unit that a query's values are shown in, as defaults and overrides say. */
export function unitOf({ fieldConfig: { defaults, overrides }, transformations = [] }, { refId, legendFormat, format }) {
  const renamed = transformations.find(({ id }) => id === "organize")?.options.renameByName ?? {};
  const name = format === "table" ? renamed[`Value #${refId}`] ?? renamed.Value : legendFormat;
  const fits = ({ id, options }) =>
    (id === "byName" && options === name) || (id === "byFrameRefID" && options === refId) || (id === "byRegexp" && new RegExp(options.slice(1, -1)).test(name ?? "")) || (id === "byType" && options === "number");
  return overrides.filter(({ matcher }) => fits(matcher)).flatMap(({ properties }) => properties).findLast(({ id }) => id === "unit")?.value ?? defaults.unit;
}

/** What a dashboard does otherwise than it should. */
export function conventions(dashboard) {
  const wrong = [];
  const { uid, panels, templating, annotations } = dashboard;
  const hold = (holds, what) => holds || wrong.push(`${uid}: ${what}`);
  hold(/^[a-z-]{1,40}$/.test(uid), "the uid is none");
  hold(dashboard.id === null, "`id` is not null");
  hold(dashboard.schemaVersion >= 39 && dashboard.schemaVersion <= 41, "`schemaVersion` is not between 39 and 41");
  hold(dashboard.graphTooltip === 1, "`graphTooltip` is not 1");
  hold(dashboard.__inputs === undefined, "`__inputs` belongs into copies for sharing");
  hold(new Set(panels.map(({ id }) => id)).size === panels.length, "two panels have the same id");
  const [first] = templating.list;
  hold(first.type === "datasource" && first.name === "datasource", "the first variable is not the data source");
  for (const name of ["job", "instance"]) hold(templating.list.some((variable) => variable.name === name && variable.type === "query"), `there is no variable \`${name}\``);
  const through = (where, { datasource }) => hold(datasource?.uid === "${datasource}", `${where} does not go through the variable \`datasource\``);
  templating.list.filter(({ type }) => type === "query").forEach((variable) => through(`the variable \`${variable.name}\``, variable));
  annotations.list.filter(({ expr }) => expr).forEach((annotation) => through(`the annotation \`${annotation.name}\``, annotation));
  for (const panel of panelsOf(dashboard)) {
    const where = `the panel \`${panel.title}\``;
    hold(panel.description?.length > 20, `${where} has no description`);
    through(where, panel);
    for (const target of panel.targets) {
      through(`${where}, query ${target.refId},`, target);
      hold(!/\[\d+[smhd]\]/.test(target.expr), `${where}, query ${target.refId}, has a fixed range instead of \`$__rate_interval\``);
      hold(!/[{,]le="(\d+|0\.0000\d+)"/.test(target.expr), `${where}, query ${target.refId}, names a bucket by a bound that Prometheus 3 writes otherwise`);
    }
  }
  for (const [index, a] of panels.entries()) {
    const meets = ({ gridPos: b }) => a.gridPos.x < b.x + b.w && b.x < a.gridPos.x + a.gridPos.w && a.gridPos.y < b.y + b.h && b.y < a.gridPos.y + a.gridPos.h;
    panels.slice(index + 1).filter(meets).forEach((b) => hold(false, `the panels \`${a.title}\` and \`${b.title}\` overlap`));
    hold(a.gridPos.x + a.gridPos.w <= 24, `the panel \`${a.title}\` is wider than the grid`);
  }
  return wrong;
}
