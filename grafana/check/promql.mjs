// As much of PromQL as it takes to see which metrics and labels a query names, and what unit its values have.

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(\[[^\]]*\])|([a-zA-Z_:$][\w:$]*)|(\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:ms|[smhdwy])?)|(=~|!~|!=|==|>=|<=|[-+*/%^(){},@<>=]))/gy;

/** Words, strings, ranges and signs. */
function tokens(query) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < query.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(query);
    if (!match) throw new Error(`what is \`${query.slice(at, at + 20)}\` in \`${query}\`?`);
    const [, string, range, word, number, sign] = match;
    found.push(string ? { string } : range ? { range } : word ? { word } : number ? { number } : { sign });
  }
  return found;
}

/** Dimensions: how many joules, seconds, grams and bytes are multiplied in a value. `null` is a number that fits anything. */
const NONE = { J: 0, s: 0, g: 0, B: 0 };
const times = (a, b, sign = 1) => (!a && !b ? null : Object.fromEntries(Object.keys(NONE).map((unit) => [unit, (a ?? NONE)[unit] + sign * (b ?? NONE)[unit]])));
const same = (a, b) => !a || !b || Object.keys(NONE).every((unit) => a[unit] === b[unit]);
const shown = (dimension) => Object.entries(dimension ?? NONE).filter(([, power]) => power).map(([unit, power]) => (power === 1 ? unit : `${unit}^${power}`)).join("·") || "1";

/** A metric's unit, from its name: base units come last, as Prometheus wants it. */
function ofMetric(name) {
  const base = name.replace(/_total$/, "");
  if (/_sum$/.test(name)) return ofMetric(name.replace(/_sum$/, ""));
  if (/_(bucket|count)$/.test(name)) return NONE;
  if (/_grams_per_kilowatt_hour$/.test(base)) return { ...NONE, g: 1, J: -1 };
  if (/_joules$/.test(base)) return { ...NONE, J: 1 };
  if (/_watts$/.test(base)) return { ...NONE, J: 1, s: -1 };
  if (/_seconds$/.test(base)) return { ...NONE, s: 1 };
  if (/_grams$/.test(base)) return { ...NONE, g: 1 };
  if (/_bytes$/.test(base)) return { ...NONE, B: 1 };
  return NONE;
}

const PER_SECOND = { ...NONE, s: -1 };
const AGGREGATES = new Set(["sum", "avg", "max", "min", "count", "group", "topk", "bottomk", "quantile"]);
const PRECEDENCE = [["or"], ["and", "unless"], ["==", "!=", "<=", "<", ">=", ">"], ["+", "-"], ["*", "/", "%"]];

/** Reads a query: its selectors, the labels that it groups by, the dimension of its values, and what does not add up in it. */
export function read(query) {
  const all = tokens(query);
  let at = 0;
  const selectors = [];
  const grouped = new Set();
  let clash;
  const next = () => all[at];
  const is = (what) => next()?.sign === what || next()?.word === what;
  const take = (what) => {
    if (!is(what)) throw new Error(`\`${what}\` is missing in \`${query}\``);
    at += 1;
  };

  function labels() {
    take("(");
    while (!is(")")) {
      if (next().word) grouped.add(next().word);
      at += 1;
    }
    take(")");
  }

  function selector(name) {
    const matchers = [];
    if (is("{")) {
      take("{");
      while (!is("}")) {
        const [label, operator, value] = [all[at].word, all[at + 1].sign, all[at + 2].string.slice(1, -1)];
        matchers.push({ label, operator, value });
        at += 3;
        if (is(",")) take(",");
      }
      take("}");
    }
    selectors.push({ name, matchers });
    return ofMetric(name);
  }

  function primary() {
    const token = next();
    at += 1;
    if (token.number) return Number(token.number) === 3600 ? { ...NONE, s: 1 } : null;
    if (token.sign === "-") return primary();
    if (token.sign === "(") {
      const inner = binary(0);
      take(")");
      return after(inner);
    }
    if (is("(") || AGGREGATES.has(token.word)) return after(call(token.word));
    return after(selector(token.word));
  }

  function call(name) {
    const by = () => { while (is("by") || is("without")) { at += 1; labels(); } };
    by();
    take("(");
    const before = selectors.length;
    const dimensions = [];
    while (!is(")")) {
      if (next().string) { at += 1; dimensions.push(null); } else dimensions.push(binary(0));
      if (is(",")) take(",");
    }
    take(")");
    by();
    switch (name) {
      case "rate": case "irate": case "deriv": return times(dimensions[0], PER_SECOND);
      case "count": case "group": case "changes": return NONE;
      case "vector": return null;
      case "time": return { ...NONE, s: 1 };
      // Buckets count; a quantile of them is what was put into them.
      case "histogram_quantile": return ofMetric(selectors[before].name.replace(/_bucket$/, ""));
      case "topk": case "bottomk": case "quantile": case "quantile_over_time": return dimensions[1];
      default: return dimensions[0];
    }
  }

  /** Ranges, offsets and moments change no unit. */
  function after(dimension) {
    for (;;) {
      if (next()?.range) at += 1;
      else if (is("offset")) at += 2;
      else if (is("@")) { at += 2; if (is("(")) { take("("); take(")"); } } else return dimension;
    }
  }

  function binary(level) {
    if (level === PRECEDENCE.length) return primary();
    let left = binary(level + 1);
    for (;;) {
      const operator = PRECEDENCE[level].find(is);
      if (!operator) return left;
      at += 1;
      while (["on", "ignoring", "group_left", "group_right", "bool"].some(is)) {
        at += 1;
        if (is("(")) labels();
      }
      const right = binary(level + 1);
      if (operator === "*") left = times(left, right);
      else if (operator === "/") left = times(left, right, -1);
      else if ((operator === "+" || operator === "-" || operator === "or") && !same(left, right)) {
        clash ??= `${shown(left)} ${operator} ${shown(right)}`;
      } else left ??= right;
    }
  }

  const dimension = binary(0);
  if (at < all.length) throw new Error(`\`${query}\` goes on after its end`);
  return { selectors, grouped: [...grouped], dimension, clash };
}

/** Grafana's units, and what they stand for. */
const UNITS = {
  joule: { ...NONE, J: 1 }, watt: { ...NONE, J: 1, s: -1 }, s: { ...NONE, s: 1 }, reqps: PER_SECOND, massg: { ...NONE, g: 1 }, bytes: { ...NONE, B: 1 }, "suffix:g/kWh": { ...NONE, g: 1, J: -1 },
  percentunit: NONE, short: NONE, locale: NONE, "suffix:×": NONE,
};

/** Why a query's values cannot have this unit, if so. */
export function wrongUnit(query, unit) {
  const { dimension, clash } = read(query);
  if (clash) return clash;
  if (unit === undefined) return undefined;
  if (!UNITS[unit]) return `the unit \`${unit}\` is none of ours`;
  return same(dimension, UNITS[unit]) ? undefined : `its values are ${shown(dimension)}, and \`${unit}\` is ${shown(UNITS[unit])}`;
}
