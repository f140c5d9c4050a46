// One dashboard, as its JSON says, on a page.
import React from "react";
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import { createRoot } from "react-dom/client";
import { createTheme, ThemeContext, dateTime } from "@grafana/data";
import { GlobalStyles, PortalContainer } from "@grafana/ui";
import { config } from "@grafana/runtime";
import { initPluginTranslations } from "@grafana/i18n";
import { CustomVariable, DataSourceVariable, QueryVariable, SceneDataTransformer, SceneObjectBase, SceneQueryRunner, SceneTimeRange, SceneVariableSet, VariableValueSelectors, VizPanel, sceneUtils } from "@grafana/scenes";
import { MemoryRouter } from "react-router-dom";

import { find, findCalls } from "./marks.js";
import { plugins } from "./plugins.jsx";
import { Prometheus, UID } from "./prometheus.js";
import { setUp } from "./registries.js";

const CELL = { height: 30, gap: 8 };

class Page extends SceneObjectBase {
  static Component = ({ model }) => {
    const { dashboard, panels, rows, selectors, range } = model.useState();
    const clock = (time) => time.format("YYYY-MM-DD HH:mm:ss");
    return (
      <div className="page">
        <header><span className="title">{dashboard.title}</span><span className="links">{dashboard.links.map(({ title }) => <span key={title}>{title}</span>)}</span><span className="range">{clock(range.from)} – {clock(range.to)}</span></header>
        <div className="selectors"><selectors.Component model={selectors} /></div>
        <div className="grid" style={{ height: Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * (CELL.height + CELL.gap) }}>
          {rows.map(({ id, title, gridPos }) => <div key={id} className="row" style={place(gridPos)}>⌄ {title}</div>)}
          {panels.map((panel) => <div key={panel.state.key} data-panel={panel.state.key} style={place(model.where(panel))}><panel.Component model={panel} /></div>)}
        </div>
      </div>
    );
  };
  where(panel) {
    return this.state.dashboard.panels.find(({ id }) => `panel-${id}` === panel.state.key).gridPos;
  }
}

const place = ({ x, y, w, h }) => ({
  position: "absolute", left: `calc(${(x / 24) * 100}% + ${x ? CELL.gap / 2 : 0}px)`, width: `calc(${(w / 24) * 100}% - ${x ? CELL.gap : CELL.gap / 2}px)`,
  top: y * (CELL.height + CELL.gap), height: h * (CELL.height + CELL.gap) - CELL.gap,
});

function variable(definition, chosen) {
  const { type, name, label } = definition;
  const value = chosen[name];
  const common = { name, label, ...(value === undefined ? {} : { value, text: value }) };
  if (type === "datasource") return new DataSourceVariable({ ...common, pluginId: "prometheus" });
  if (type === "custom") return new CustomVariable({ ...common, query: definition.query, ...(value === undefined ? { value: definition.current.value, text: definition.current.text } : {}) });
  const all = definition.includeAll ? { value: ["$__all"], text: ["All"] } : {};
  return new QueryVariable({ ...common, datasource: { uid: UID, type: "prometheus" }, query: definition.query, refresh: definition.refresh, sort: definition.sort, isMulti: definition.multi, includeAll: definition.includeAll, ...all });
}

function vizPanel({ id, type, title, description, targets, fieldConfig, options, transformations }) {
  const queries = new SceneQueryRunner({ datasource: { uid: UID, type: "prometheus" }, queries: targets });
  const data = transformations?.length ? new SceneDataTransformer({ $data: queries, transformations }) : queries;
  return new VizPanel({ key: `panel-${id}`, pluginId: type, title, description, fieldConfig, options, $data: data });
}

/** Draws a dashboard; afterwards `window.outcome()` tells how each panel is. */
async function draw({ dashboard, prometheus: address, scrapeSeconds, from, to, chosen, theme: mode }) {
  const theme = createTheme({ colors: { mode } });
  config.theme2 = theme;
  await initPluginTranslations("nebula");
  const prometheus = new Prometheus(address, scrapeSeconds);
  setUp(prometheus);
  sceneUtils.registerRuntimeDataSource({ dataSource: prometheus });
  plugins().forEach((plugin) => sceneUtils.registerRuntimePanelPlugin(plugin));
  const range = { from: dateTime(from), to: dateTime(to) };
  const page = new Page({
    dashboard, range, selectors: new VariableValueSelectors({}), rows: dashboard.panels.filter(({ type }) => type === "row"), panels: dashboard.panels.filter(({ type }) => type !== "row").map(vizPanel),
    $timeRange: new SceneTimeRange({ from: new Date(from).toISOString(), to: new Date(to).toISOString() }),
    $variables: new SceneVariableSet({ variables: dashboard.templating.list.map((definition) => variable(definition, chosen)) }),
  });
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  createRoot(document.getElementById("root")).render(
    <MemoryRouter><ThemeContext.Provider value={theme}><GlobalStyles /><page.Component model={page} /><PortalContainer /></ThemeContext.Provider></MemoryRouter>,
  );
  const scopedVars = { __sceneObject: { value: { valueOf: () => page } } };
  const result = (panel) => panel.state.$data.state.data;
  window.outcome = () => ({
    ready: page.state.panels.every((panel) => result(panel)?.state === "Error" || panel.state._pluginLoadError || (result(panel)?.state === "Done" && globalThis.drawn[Number(panel.state.key.slice(6))])),
    panels: page.state.panels.map((panel) => ({
      id: Number(panel.state.key.slice(6)), title: panel.state.title, state: result(panel)?.state, error: result(panel)?.errors?.[0]?.message ?? panel.state._pluginLoadError,
      series: (result(panel)?.series ?? []).length, drawn: globalThis.drawn[Number(panel.state.key.slice(6))]?.texts ?? null,
      text: document.querySelector(`[data-panel="${panel.state.key}"]`)?.innerText ?? "",
    })),
    variables: Object.fromEntries(page.state.$variables.state.variables.map((variable) => [variable.state.name, variable.getValue()])),
  });
  window.mark = async () => {
    const count = await find(prometheus, dashboard.annotations.list.filter(({ expr }) => expr), range, scopedVars);
    await findCalls(prometheus, dashboard.panels, range, scopedVars);
    page.state.panels.forEach((panel) => panel.forceRender());
    window.dispatchEvent(new Event("resize"));
    return count;
  };
}

window.draw = draw;
