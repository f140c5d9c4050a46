// The powers of ten that the joules of calls lie in. The buckets of `nebula_invocation_energy_joules` are three to each of them.
import { le } from "./panels.mjs";

/** From cold to hot. */
export const DECADES = [
  { name: "below 10 µJ", to: "0.00001", colour: "#1F60C4" },
  { name: "10 – 100 µJ", from: "0.00001", to: "0.0001", colour: "#5794F2" },
  { name: "0.1 – 1 mJ", from: "0.0001", to: "0.001", colour: "#73BF69" },
  { name: "1 – 10 mJ", from: "0.001", to: "0.01", colour: "#FADE2A" },
  { name: "10 – 100 mJ", from: "0.01", to: "0.1", colour: "#FF9830" },
  { name: "0.1 – 1 J", from: "0.1", to: "1", colour: "#F2495C" },
  { name: "1 J and more", from: "1", colour: "#B877D9" },
];

/** Share of calls within a decade. */
export function shareOfDecade(labels, { from, to }, over, offset = "") {
  const count = `sum(rate(nebula_invocation_energy_joules_count{${labels}}${over}${offset}))`;
  const below = (bound) => `sum(rate(nebula_invocation_energy_joules_bucket{${labels},${le(bound)}}${over}${offset}))`;
  const within = [to ? below(to) : count, ...(from ? [below(from)] : [])].join(" - ");
  return `(${within}) / (${count} > 0)`;
}
