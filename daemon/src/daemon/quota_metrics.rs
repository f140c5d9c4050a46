//! The metrics of quotas and of the power cap.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admission::PowerCap;
use crate::functions::Registry;
use crate::telemetry::{Labels, Metric, Metrics};

/// By the label of the function.
type Ratios = BTreeMap<Arc<str>, f64>;

const QUOTAS: &[Metric<Ratios>] = &[Metric::gauge(
    "nebula_quota_joules_used_ratio",
    "Active energy of a function in the last hour divided by its quota. At 1, its calls are refused.",
    &["function"],
    |used, samples| used.iter().for_each(|(label, ratio)| samples.add(&[label], *ratio)),
)];

const POWER: &[Metric<Arc<PowerCap>>] = &[
    Metric::gauge(
        "nebula_power_cap_watts",
        "Power cap in watts: new calls wait while all functions together draw more active power than this.",
        &[],
        |power, samples| samples.set(power.max().0),
    ),
    Metric::gauge(
        "nebula_functions_active_watts",
        "Settled active power in watts of all functions together, averaged over the last second.",
        &[],
        |power, samples| power.watts().iter().for_each(|watts| samples.set(watts.0)),
    ),
    Metric::gauge(
        "nebula_power_cap_waiting",
        "Calls waiting for power to fall below the cap.",
        &["priority"],
        |power, samples| {
            power.lanes().iter().for_each(|lane| samples.add(&[lane.priority.as_str()], lane.waiting as f64));
        },
    ),
    Metric::counter(
        "nebula_power_cap_rejections_total",
        "Calls refused because functions together drew as much power as the cap allows.",
        &["priority"],
        |power, samples| {
            power.lanes().iter().for_each(|lane| samples.add(&[lane.priority.as_str()], lane.rejected as f64));
        },
    ),
];

/// Shows how much of its joules each function with a quota has used.
pub fn register_quotas(metrics: &Metrics, registry: Arc<Registry>) -> prometheus::Result<()> {
    let labels = metrics.labels.clone();
    metrics.register_table(QUOTAS, move || ratios(&registry, &labels))
}

fn ratios(registry: &Registry, labels: &Labels) -> Ratios {
    let mut used = Ratios::new();
    for function in registry.all() {
        let Some(payer) = &function.payer else { continue };
        let Some(limit) = payer.quota().joules_per_hour else { continue };
        // Of functions that share a label, the one that has used most of its quota.
        let ratio = used.entry(labels.of(function.id)).or_default();
        *ratio = ratio.max(payer.usage().of(limit));
    }
    used
}

/// Shows the power cap.
pub fn register_power(metrics: &Metrics, power: &Arc<PowerCap>) -> prometheus::Result<()> {
    let power = power.clone();
    metrics.register_table(POWER, move || power.clone())
}
