//! The metrics of quotas and of the power cap: the place that knows both those who bound calls and those who tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::functions::Registry;
use crate::invocation::{Lane, PowerCap};
use crate::telemetry::{Described, Metrics, ReadWhenAsked};

const fn gauge(name: &'static str, help: &'static str, label: Option<&'static str>) -> Described {
    Described { name, help, label, rises: false }
}

const JOULES_USED: Described = gauge(
    "nebula_quota_joules_used_ratio",
    "Active energy of a function within the last hour as a part of the most that it may use. At 1 its calls are refused.",
    Some("function"),
);
const CAP: Described = gauge(
    "nebula_power_cap_watts",
    "Active power in watts that all functions together may draw before new calls wait.",
    None,
);
const ACTIVE: Described = gauge(
    "nebula_functions_active_watts",
    "Settled active power of all functions together in watts, as the mean of the last second.",
    None,
);
const WAITING: Described =
    gauge("nebula_power_cap_waiting", "Calls that wait for functions to draw less power.", Some("priority"));
const REJECTIONS: Described = Described {
    name: "nebula_power_cap_rejections_total",
    help: "Calls that were refused since functions drew as much power as they may.",
    label: Some("priority"),
    rises: true,
};

/// Shows how much of its joules each function has used that is bounded.
pub fn register_quotas(metrics: &Metrics, registry: Arc<Registry>) -> prometheus::Result<()> {
    let labels = metrics.labels().clone();
    metrics.register(ReadWhenAsked::new(JOULES_USED, move || {
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
    metrics.register(ReadWhenAsked::new(CAP, move || one(cap.max().0))?)?;
    metrics
        .register(ReadWhenAsked::new(ACTIVE, move || active.watts().map(|watts| one(watts.0)).unwrap_or_default())?)?;
    metrics.register(ReadWhenAsked::new(WAITING, move || lanes(&waiting, |lane| lane.waiting as f64))?)?;
    metrics.register(ReadWhenAsked::new(REJECTIONS, move || lanes(&rejected, |lane| lane.rejected as f64))?)
}
