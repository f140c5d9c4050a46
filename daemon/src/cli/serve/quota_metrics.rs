//! The metrics of quotas and of the power cap: the place that knows both those who bound calls and those who tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::functions::Registry;
use crate::invocation::{Lane, PowerCap};
use crate::telemetry::{Family, Metrics, ReadWhenAsked};

const JOULES_USED: Family = Family {
    name: "nebula_quota_joules_used_ratio",
    help: "Active energy of a function within the last hour as a part of the most that it may use. At 1 its calls are refused.",
    labels: &["function"],
};
const CAP: Family = Family {
    name: "nebula_power_cap_watts",
    help: "Active power in watts that all functions together may draw before new calls wait.",
    labels: &[],
};
const ACTIVE: Family = Family {
    name: "nebula_functions_active_watts",
    help: "Settled active power of all functions together in watts, as the mean of the last second.",
    labels: &[],
};
const WAITING: Family = Family {
    name: "nebula_power_cap_waiting",
    help: "Calls that wait for functions to draw less power.",
    labels: &["priority"],
};
const REJECTIONS: Family = Family {
    name: "nebula_power_cap_rejections_total",
    help: "Calls that were refused since functions drew as much power as they may.",
    labels: &["priority"],
};

/// Shows how much of its joules each function has used that is bounded.
pub fn register_quotas(metrics: &Metrics, registry: Arc<Registry>) -> prometheus::Result<()> {
    let labels = metrics.labels().clone();
    metrics.register(ReadWhenAsked::gauge(JOULES_USED, move || {
        let mut used = BTreeMap::<String, f64>::new();
        for function in registry.all() {
            let Some(payer) = &function.payer else { continue };
            let Some(limit) = payer.quota().joules_per_hour else { continue };
            // Of those that share a label the one that is nearest to its end.
            let ratio = used.entry(labels.of(function.id).to_string()).or_default();
            *ratio = ratio.max(payer.usage().of(limit));
        }
        used.into_iter().collect()
    })?)
}

/// Shows the power cap.
pub fn register_power(metrics: &Metrics, power: &Arc<PowerCap>) -> prometheus::Result<()> {
    let one = |value: f64| vec![(String::new(), value)];
    let lanes = |power: &PowerCap, value: fn(&Lane) -> f64| {
        power.lanes().iter().map(|lane| (lane.priority.as_str().to_owned(), value(lane))).collect::<Vec<_>>()
    };
    let (cap, active, waiting, rejected) = (power.clone(), power.clone(), power.clone(), power.clone());
    metrics.register(ReadWhenAsked::gauge(CAP, move || one(cap.max().0))?)?;
    metrics.register(ReadWhenAsked::gauge(ACTIVE, move || {
        active.watts().map(|watts| one(watts.0)).unwrap_or_default()
    })?)?;
    metrics.register(ReadWhenAsked::gauge(WAITING, move || lanes(&waiting, |lane| lane.waiting as f64))?)?;
    metrics.register(ReadWhenAsked::counter(REJECTIONS, move || lanes(&rejected, |lane| lane.rejected as f64))?)
}
