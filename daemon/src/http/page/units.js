// Formats numbers with about three digits and a fitting unit.

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];
const SPACE = "\u00a0";

function scaled(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not known";
  if (value === 0) return `0${SPACE}${unit}`;
  const size = Math.abs(value);
  // 0.9996 of a unit rounds up to a whole one.
  const found = PREFIXES.find(([step]) => size >= step * 0.9995) ?? PREFIXES.at(-1);
  const shown = value / found[0];
  const digits = Math.abs(shown) >= 99.95 ? 0 : Math.abs(shown) >= 9.995 ? 1 : 2;
  return `${shown.toFixed(digits)}${SPACE}${found[1]}${unit}`;
}

export const joules = (value) => scaled(value, "J");
export const watts = (value) => scaled(value, "W");

/** Watts for the chart's scale, without trailing zeros. */
export function tick(value) {
  const [number, unit] = watts(value).split(SPACE);
  return `${Number(number)}${SPACE}${unit}`;
}

export const seconds = (value) => scaled(value, "s");

export function rate(value) {
  if (value === null) return "—";
  if (value === 0) return "0";
  return value >= 99.5 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 9.95 ? 0 : 1);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const count = (value) => (value >= 1e6 ? compact.format(value) : value.toLocaleString("en"));
export const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)}${SPACE}%` : "—");

export function bytes(value) {
  if (value >= 1 << 20) return `${(value / (1 << 20)).toFixed(1)}${SPACE}MiB`;
  return value >= 1024 ? `${(value / 1024).toFixed(1)}${SPACE}KiB` : `${value}${SPACE}B`;
}

export const short = (version) => version.slice(0, 12);
export const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
