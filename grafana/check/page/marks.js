// What annotations found: moments, with a colour.
let found = [];

export const marks = () => found;

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
