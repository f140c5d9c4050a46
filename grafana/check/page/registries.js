// What a Grafana server sets up before its panels: field options, transformations, services.
import {
  booleanOverrideProcessor, dataLinksOverrideProcessor, displayNameOverrideProcessor, identityOverrideProcessor, numberOverrideProcessor, standardEditorsRegistry, standardFieldConfigEditorRegistry,
  standardTransformers, standardTransformersRegistry, stringOverrideProcessor, thresholdsOverrideProcessor, unitOverrideProcessor, valueMappingsOverrideProcessor, LoadingState, EventBusSrv,
} from "@grafana/data";
import { setAppEvents, setDataSourceSrv, setLocationSrv, setPluginImportUtils, setRunRequest, setTemplateSrv } from "@grafana/runtime";
import { catchError, from, map, of } from "rxjs";

import { UID } from "./prometheus.js";

const STANDARD = {
  displayName: displayNameOverrideProcessor, unit: unitOverrideProcessor, min: numberOverrideProcessor, max: numberOverrideProcessor, decimals: numberOverrideProcessor, noValue: stringOverrideProcessor,
  thresholds: thresholdsOverrideProcessor, mappings: valueMappingsOverrideProcessor, links: dataLinksOverrideProcessor, color: identityOverrideProcessor, filterable: booleanOverrideProcessor,
};

export function setUp(prometheus) {
  standardEditorsRegistry.setInit(() => []);
  standardFieldConfigEditorRegistry.setInit(() => Object.entries(STANDARD).map(([id, process]) => ({
    id, path: id, name: id, category: [], process, override: () => null, editor: () => null, shouldApply: () => true, getItemsCount: () => 0, settings: {},
  })));
  standardTransformersRegistry.setInit(() => [...new Map(Object.values(standardTransformers).map((one) => [one.id, one])).values()].map((transformation) => ({ id: transformation.id, name: transformation.name, transformation, editor: () => null })));
  setRunRequest((source, request) => from(source.query(request)).pipe(
    map(({ data }) => ({ state: LoadingState.Done, series: data, timeRange: request.range, request, annotations: [] })),
    catchError((error) => of({ state: LoadingState.Error, series: [], timeRange: request.range, request, error: { message: error.message }, errors: [{ message: error.message }] })),
  ));
  const settings = { uid: UID, name: "Prometheus", type: "prometheus", isDefault: true, readOnly: true, jsonData: {}, access: "proxy", meta: { id: "prometheus", name: "Prometheus", type: "datasource", info: { logos: {} } } };
  setDataSourceSrv({ get: async () => prometheus, getList: () => [settings], getInstanceSettings: () => settings, reload() {}, registerRuntimeDataSource() {} });
  setPluginImportUtils({ importPanelPlugin: async (id) => { throw new Error(`no panel \`${id}\` here`); }, getPanelPluginFromCache: () => undefined });
  setAppEvents(new EventBusSrv());
  setLocationSrv({ update() {} });
  setTemplateSrv({ getVariables: () => [], replace: (text) => text, containsTemplate: () => false, updateTimeRange() {} });
}
