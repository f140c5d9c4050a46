//! How well the joules of functions are known, as a metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use nebula_metering::Uncertainty;

use crate::functions::Registry;
use crate::telemetry::{Labels, Metric, Metrics};

/// By the label of the function.
type Uncertainties = BTreeMap<Arc<str>, Uncertainty>;

const UNCERTAINTIES: &[Metric<Uncertainties>] = &[Metric::gauge(
    "nebula_function_energy_uncertainty_joules",
    "Half the width of the 95 % interval, in joules, of the settled active energy of a function's calls since the daemon started, which is nebula_invocation_energy_joules_sum.",
    &["function"],
    |known, samples| known.iter().for_each(|(label, of)| samples.add(&[label], of.total().0)),
)];

/// Shows how well the energy of each function is known.
pub fn register(metrics: &Metrics, registry: Arc<Registry>) -> prometheus::Result<()> {
    let labels = metrics.labels.clone();
    metrics.register_table(UNCERTAINTIES, move || uncertainties(&registry, &labels))
}

fn uncertainties(registry: &Registry, labels: &Labels) -> Uncertainties {
    let mut known = Uncertainties::new();
    for (&id, revision) in registry.revisions().iter() {
        let settled = revision.metrics.settled();
        if settled.calls > 0 {
            *known.entry(labels.of(id)).or_default() += settled.uncertainty;
        }
    }
    known
}
