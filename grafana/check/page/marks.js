// What annotations found: moments, with a colour. And single calls that were kept as exemplars: moments, with a value.
let found = [];
const exemplars = new Map();

export const marks = () => found;

/** Those of a panel. */
export const calls = (panel) => exemplars.get(panel) ?? [];

/** Not more than can be told apart. */
const CALLS_MAX = 60;

/** Asks for the exemplars of the panels that want them. */
export async function findCalls(prometheus, panels, range, scopedVars) {
  for (const { id, targets } of panels) {
    const answers = await Promise.all((targets ?? []).filter(({ exemplar }) => exemplar).map(({ expr }) => prometheus.ask("query_exemplars", {
      query: prometheus.fill(expr, scopedVars, 1000, range), start: range.from.valueOf() / 1000, end: range.to.valueOf() / 1000,
    })));
    const all = answers.flat().flatMap((series) => series.exemplars).map(({ timestamp, value }) => ({ time: timestamp * 1000, value: Number(value) })).sort((a, b) => a.time - b.time);
    const every = Math.max(1, all.length / CALLS_MAX);
    if (all.length > 0) exemplars.set(id, Array.from({ length: Math.floor(all.length / every) }, (_, index) => all[Math.floor(index * every)]));
  }
}

/** The beginnings of the stretches in which an annotation's query has a value. */
export async function find(prometheus, annotations, range, scopedVars) {
  const all = await Promise.all(annotations.map(async ({ expr, iconColor }) => {
    const step = Math.max(1, Math.round((range.to.valueOf() - range.from.valueOf()) / 1000 / 600));
    const query = prometheus.fill(expr, scopedVars, step * 1000, range);
    const { result } = await prometheus.ask("query_range", { query, start: range.from.valueOf() / 1000, end: range.to.valueOf() / 1000, step });
    return result.flatMap(({ values }) => values.filter(([time], index) => index === 0 || time - values[index - 1][0] > 1.5 * step).map(([time]) => ({ time: time * 1000, colour: iconColor })));
  }));
  found = all.flat();
  return found.length;
}
