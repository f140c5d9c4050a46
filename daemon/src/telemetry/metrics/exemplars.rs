//! An example call for each bucket of joules, so that a call behind an expensive bucket in a graph can be looked up.
//!
//! Source: `OpenMetrics` 1.0, "Exemplars".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// From ten microjoules, below any counter's quantum, to 100 J: ten seconds of ten watts.
pub const ENERGY_BUCKETS: [f64; 20] =
    [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0];

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The id by which `/invocations` knows it.
    pub invocation: u128,
    /// Its trace, if that is exported.
    pub trace: Option<u128>,
    /// Its settled active energy, in joules.
    pub joules: f64,
    /// When it ended.
    pub at: SystemTime,
}

/// The last call in each bucket; the last bucket has no upper bound.
pub type ByBucket = [Option<Exemplar>; ENERGY_BUCKETS.len() + 1];

/// The exemplars of one label. Only the sampler's thread writes.
#[derive(Debug, Default)]
pub struct Exemplars(Mutex<ByBucket>);

#[derive(Debug, Default)]
pub struct ByLabel(Mutex<BTreeMap<Arc<str>, Arc<Exemplars>>>);

impl Exemplars {
    /// Replaces the exemplar in this call's bucket.
    pub fn keep(&self, exemplar: Exemplar) {
        let bucket = ENERGY_BUCKETS.partition_point(|bound| *bound < exemplar.joules);
        self.0.lock()[bucket] = Some(exemplar);
    }
}

impl ByLabel {
    pub fn of(&self, label: &Arc<str>) -> Arc<Exemplars> {
        self.0.lock().entry(label.clone()).or_default().clone()
    }

    pub fn find(&self, label: &str) -> Option<ByBucket> {
        self.0.lock().get(label).map(|exemplars| *exemplars.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemplar_is_in_the_bucket_that_counts_it() {
        let by_label = ByLabel::default();
        let exemplars = by_label.of(&"add".into());
        let call = |invocation, joules| Exemplar { invocation, trace: None, joules, at: SystemTime::UNIX_EPOCH };
        // A bound belongs to the bucket that it ends.
        let last = ENERGY_BUCKETS.len();
        for (invocation, joules) in (1..).zip([0.0, ENERGY_BUCKETS[0], ENERGY_BUCKETS[0] * 1.5, 1e9]) {
            exemplars.keep(call(invocation, joules));
        }
        let kept = by_label.find("add").unwrap().map(|exemplar| exemplar.map(|exemplar| exemplar.invocation));
        assert_eq!((kept[0], kept[1], kept[last]), (Some(2), Some(3), Some(4)));
        assert_eq!(kept.iter().flatten().count(), 3);
        assert_eq!(by_label.find("sub"), None);
    }
}
