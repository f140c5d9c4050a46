//! What is counted of one version of a function.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nebula_metering::Microjoules;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec};

use super::exemplars::{Exemplar, Exemplars};
use crate::outcome::Outcome;

/// Handles to the metrics of one function, so that no call looks anything up.
pub struct FunctionMetrics {
    pub(super) outcomes: [IntCounter; Outcome::ALL.len()],
    /// Of this version alone.
    pub(super) counted: [AtomicU64; Outcome::ALL.len()],
    pub(super) settled: SettledCalls,
    pub(super) duration: Histogram,
    pub(super) queue: Histogram,
    pub(super) startup: Histogram,
    pub(super) cold_starts: IntCounter,
    pub(super) exceeded: IntCounterVec,
    pub(super) label: Arc<str>,
    pub(super) cold_start_duration: Gauge,
    pub(super) energy: Histogram,
    pub(super) exemplars: Arc<Exemplars>,
}

/// The calls of one version whose energy is known. Only the sampler's thread writes.
#[derive(Debug, Default)]
pub(super) struct SettledCalls {
    count: AtomicU64,
    active: AtomicU64,
}

impl FunctionMetrics {
    /// Counts a call that ended so.
    pub fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
        self.counted[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls of this version ended in each way, in the order of [`Outcome::ALL`].
    #[must_use]
    pub fn counted(&self) -> [u64; Outcome::ALL.len()] {
        self.counted.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Takes in a settled call.
    pub(super) fn settle(&self, active: Microjoules, exemplar: Exemplar) {
        self.settled.count.fetch_add(1, Ordering::Relaxed);
        self.settled.active.fetch_add(active.0, Ordering::Relaxed);
        self.energy.observe(exemplar.joules);
        self.exemplars.keep(exemplar);
    }

    /// How many calls of this version have been settled, and their active energy. What a call was charged while it runs is
    /// not in it, nor are cold starts.
    #[must_use]
    pub fn settled(&self) -> (u64, Microjoules) {
        let SettledCalls { count, active } = &self.settled;
        (count.load(Ordering::Relaxed), Microjoules(active.load(Ordering::Relaxed)))
    }

    /// Counts a call for which a quota is used up, of the function or of the caller's token.
    pub fn count_exceeded(&self, of: &str, quota: &str) {
        self.exceeded.with_label_values(&[&*self.label, quota, of]).inc();
    }

    /// Shows the quotas of the function before one of them is exceeded: a rate cannot see the first rise of a counter
    /// that was not there.
    pub fn expect_exceeded(&self, quotas: impl IntoIterator<Item = &'static str>) {
        for quota in quotas {
            self.exceeded.with_label_values(&[&*self.label, quota, "function"]).inc_by(0);
        }
    }

    /// Takes in how long it took until the function could be called.
    pub fn observe_cold_start(&self, duration: Duration) {
        self.cold_start_duration.set(duration.as_secs_f64());
    }

    /// Takes in the times of a call that ran.
    pub fn observe(&self, duration: Duration, queued: Duration, startup: Duration, cold_start: bool) {
        self.duration.observe(duration.as_secs_f64());
        self.queue.observe(queued.as_secs_f64());
        self.startup.observe(startup.as_secs_f64());
        if cold_start {
            self.cold_starts.inc();
        }
    }
}
