// What the check does not hold against a dashboard, each with its reason. Everything that is not named here is a failure.

/** Queries that a healthy daemon under this load may answer with nothing: dashboard, panel, query, and why. */
export const MAY_BE_EMPTY = [
  ["nebula-overview", "Source", "A", "the simulated source is not measured"],
  ["nebula-overview", "Refused by quotas", "B", "the power cap is not met"],
  ["nebula-truth", "Source", "A", "the simulated source is not measured"],
  ["nebula-truth", "Zones inside others", "A", "the simulated machine has no zones inside others"],
];

/** Panels that may say that there is nothing to show. */
export const MAY_SHOW_NOTHING = [
  ["nebula-truth", "Zones inside others", "the simulated machine has no zones inside others"],
];

/** Rules and alerts whose parts cannot all have values, and why. Alerts are asked without their last comparison. */
export const QUIET_RULES = {
  NebulaEnergyPerCallUp: "it needs two weeks",
  NebulaSourceLost: "nothing was ever measured here",
  NebulaEstimatesOff: "it needs a thousand calls of an hour",
};

/** Labels that Prometheus adds, or that `label_replace` makes. */
export const ADDED_LABELS = ["job", "instance", "side"];
export const ADDED_METRICS = { up: [] };

/** Values of labels that the machine of the golden file does not show. */
export const FURTHER_VALUES = { measured: ["false"] };
