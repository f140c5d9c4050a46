// Thin panels over Grafana's own components: what Grafana's core plugins are, without their editors.
import React from "react";
import { FieldType, PanelPlugin, VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues, formattedValueToString, getFieldDisplayName } from "@grafana/data";
import { BarGauge, BigValue, Table, TimeSeries, VizRepeater, useTheme2 } from "@grafana/ui";

import { calls, marks } from "./marks.js";

/** What was drawn, by the panel's id: Node reads it from here. */
const drawn = (globalThis.drawn = {});

function note(id, texts) {
  drawn[id] = { texts };
}

const numbers = (series) => series.flatMap((frame) => frame.fields.filter((field) => field.type === FieldType.number).map((field) => ({ frame, field })));

/** What Grafana shows in place of nothing. */
function Nothing({ fieldConfig }) {
  return <div className="nothing">{fieldConfig?.defaults?.noValue ?? "No data"}</div>;
}

function Curves({ id, data, width, height, timeRange, timeZone, options, fieldConfig }) {
  const fields = numbers(data.series);
  const texts = fields.map(({ frame, field }) => {
    const last = field.values.filter((value) => value !== null && Number.isFinite(value)).at(-1);
    return { name: getFieldDisplayName(field, frame, data.series), unit: field.config.unit, text: last === undefined ? null : formattedValueToString(field.display(last)) };
  });
  note(id, texts);
  const withPoints = data.series.filter((frame) => numbers([frame]).some(({ field }) => field.values.some((value) => value !== null && Number.isFinite(value))));
  if (withPoints.length === 0) return <Nothing fieldConfig={fieldConfig} />;
  return (
    <TimeSeries frames={graphable(withPoints)} structureRev={data.structureRev} timeRange={timeRange} timeZone={timeZone} width={width} height={height} legend={options.legend} options={options}>
      {(builder) => <Marks builder={builder} id={id} />}
    </TimeSeries>
  );
}

/** What `prepareGraphableFields` of Grafana's core does with numbers that none are: they are gaps. */
const graphable = (frames) => frames.map((frame) => ({ ...frame, fields: frame.fields.map((field) => (field.type === FieldType.number ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) } : field)) }));

/** Annotations, as lines with a foot, and single calls, as diamonds. */
function Marks({ builder, id }) {
  const theme = useTheme2();
  React.useLayoutEffect(() => {
    builder.addHook("draw", (u) => {
      for (const { time, colour } of marks()) {
        const x = Math.round(u.valToPos(time, "x", true));
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
        u.ctx.save();
        u.ctx.strokeStyle = u.ctx.fillStyle = theme.visualization.getColorByName(colour);
        u.ctx.setLineDash([6, 4]);
        u.ctx.lineWidth = devicePixelRatio;
        u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top);
        u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
        u.ctx.stroke();
        u.ctx.beginPath();
        const foot = u.bbox.top + u.bbox.height;
        u.ctx.moveTo(x, foot); u.ctx.lineTo(x - 5 * devicePixelRatio, foot + 6 * devicePixelRatio); u.ctx.lineTo(x + 5 * devicePixelRatio, foot + 6 * devicePixelRatio);
        u.ctx.fill();
        u.ctx.restore();
      }
      const size = 4 * devicePixelRatio;
      const { left, top, width, height } = u.bbox;
      for (const { time, value } of calls(id)) {
        const [x, y] = [u.valToPos(time, "x", true), u.valToPos(value, u.series[1].scale, true)];
        if (x < left || x > left + width || y < top || y > top + height) continue;
        u.ctx.save();
        u.ctx.fillStyle = theme.visualization.getColorByName("light-blue");
        u.ctx.beginPath();
        u.ctx.moveTo(x, y - size); u.ctx.lineTo(x + size, y); u.ctx.lineTo(x, y + size); u.ctx.lineTo(x - size, y);
        u.ctx.fill();
        u.ctx.restore();
      }
    });
  }, [builder]);
  return null;
}

function values({ id, data, options, fieldConfig, replaceVariables, timeZone }, theme, sparkline) {
  const values = getFieldDisplayValues({ fieldConfig, reduceOptions: options.reduceOptions, replaceVariables, theme, data: data.series, sparkline, timeZone });
  note(id, values.filter(({ hasLinks, field }) => field).map(({ display, field }) => ({ name: display.title, unit: field.unit, text: display.numeric === undefined || Number.isNaN(display.numeric) ? null : formattedValueToString(display) })));
  return values;
}

const empty = (values) => values.every(({ display }) => display.numeric === undefined || Number.isNaN(display.numeric));

function Figure(props) {
  const theme = useTheme2();
  const { width, height, options } = props;
  const shown = values(props, theme, options.graphMode !== "none");
  if (props.data.series.length === 0 || empty(shown)) {
    note(props.id, []);
    return <Nothing fieldConfig={props.fieldConfig} />;
  }
  return (
    <VizRepeater source={props.data} getValues={() => shown} width={width} height={height} renderCounter={props.renderCounter} autoGrid orientation={VizOrientation.Auto}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, count }) => (
        <BigValue value={value.display} count={count} sparkline={value.sparkline} colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode}
          alignmentFactors={alignmentFactors} width={width} height={height} theme={theme} text={options.text} />
      )} />
  );
}

function Bars(props) {
  const theme = useTheme2();
  const { options } = props;
  const shown = values(props, theme, false);
  if (props.data.series.length === 0 || empty(shown)) {
    note(props.id, []);
    return <Nothing fieldConfig={props.fieldConfig} />;
  }
  return (
    <VizRepeater source={props.data} getValues={() => shown} width={props.width} height={props.height} renderCounter={props.renderCounter} itemSpacing={8} minVizHeight={14} minVizWidth={8}
      orientation={options.orientation} getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, orientation }) => (
        <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)} width={width} height={height} orientation={orientation} theme={theme} itemSpacing={8}
          displayMode={options.displayMode} valueDisplayMode={options.valueMode} namePlacement={options.namePlacement} showUnfilled={options.showUnfilled} alignmentFactors={alignmentFactors} isOverflow={false} lcdCellWidth={12} />
      )} />
  );
}

function Cells({ id, data, width, height, timeRange, fieldConfig, options }) {
  const frame = data.series.find((frame) => frame.length > 0);
  note(id, frame ? frame.fields.filter((field) => !field.config.custom?.hidden).flatMap((field) => (field.type === FieldType.number ? [{ name: getFieldDisplayName(field, frame), unit: field.config.unit, text: Number.isFinite(field.values[0]) ? formattedValueToString(field.display(field.values[0])) : null }] : [])) : []);
  if (!frame) return <Nothing fieldConfig={fieldConfig} />;
  return <Table data={frame} width={width} height={height} timeRange={timeRange} cellHeight={options.cellHeight} initialSortBy={[]} resizable={false} fieldConfig={fieldConfig} />;
}

/** Every property under `custom` that the dashboards use. */
const CUSTOM = [
  "drawStyle", "lineInterpolation", "lineWidth", "lineStyle", "fillOpacity", "gradientMode", "showPoints", "pointSize", "spanNulls", "axisLabel", "axisPlacement", "axisColorMode", "axisBorderShow",
  "axisCenteredZero", "axisSoftMin", "axisSoftMax", "stacking", "scaleDistribution", "hideFrom", "thresholdsStyle", "barAlignment", "insertNulls", "align", "cellOptions", "inspect", "filterable", "width", "hidden",
];

const plugin = (Component) =>
  new PanelPlugin(Component).useFieldConfig({
    useCustomConfig: (builder) => CUSTOM.forEach((path) => builder.addCustomEditor({ id: path, path, name: path, editor: () => null, override: () => null, process: (value) => value, shouldApply: () => true, settings: {} })),
  });

export const PLUGINS = { timeseries: Curves, stat: Figure, bargauge: Bars, table: Cells };
export const plugins = () => Object.entries(PLUGINS).map(([pluginId, Component]) => ({ pluginId, plugin: plugin(Component) }));
