//! The metrics of one version of a function.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nebula_metering::{Charge, Microjoules, Uncertainty};
use parking_lot::Mutex;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec};

use super::exemplars::{Exemplar, Exemplars};
use crate::outcome::Outcome;

/// Handles, so that no call has to look up a metric.
pub struct FunctionMetrics {
    pub(super) outcomes: [IntCounter; Outcome::ALL.len()],
    /// Calls of this version alone, by outcome.
    pub(super) counted: [AtomicU64; Outcome::ALL.len()],
    /// Only the sampler's thread changes it.
    pub(super) settled: Mutex<SettledSums>,
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

/// The settled calls of one version. Neither running calls nor cold starts are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SettledSums {
    pub calls: u64,
    pub active: Microjoules,
    /// That of `active`.
    pub uncertainty: Uncertainty,
}

impl AddAssign for SettledSums {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.active += other.active;
        self.uncertainty += other.uncertainty;
    }
}

impl FunctionMetrics {
    pub fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
        self.counted[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Calls of this version by outcome, in the order of [`Outcome::ALL`].
    pub fn counted(&self) -> [u64; Outcome::ALL.len()] {
        self.counted.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn settle(&self, charge: &Charge, exemplar: Exemplar) {
        *self.settled.lock() += SettledSums { calls: 1, active: charge.active, uncertainty: charge.uncertainty };
        self.energy.observe(exemplar.joules);
        self.exemplars.keep(exemplar);
    }

    pub fn settled(&self) -> SettledSums {
        *self.settled.lock()
    }

    /// Counts a call that a quota refused. `of` is `function` or `token`.
    pub fn count_exceeded(&self, of: &str, quota: &str) {
        self.exceeded.with_label_values(&[&*self.label, quota, of]).inc();
    }

    /// Shows the quotas of the function before one of them is exceeded: `rate` misses the first increase of a counter that
    /// was not there.
    pub fn expect_exceeded(&self, quotas: impl IntoIterator<Item = &'static str>) {
        for quota in quotas {
            self.exceeded.with_label_values(&[&*self.label, quota, "function"]).inc_by(0);
        }
    }

    pub fn observe_cold_start(&self, duration: Duration) {
        self.cold_start_duration.set(duration.as_secs_f64());
    }

    pub fn observe(&self, duration: Duration, queued: Duration, startup: Duration, cold_start: bool) {
        self.duration.observe(duration.as_secs_f64());
        self.queue.observe(queued.as_secs_f64());
        self.startup.observe(startup.as_secs_f64());
        if cold_start {
            self.cold_starts.inc();
        }
    }
}
