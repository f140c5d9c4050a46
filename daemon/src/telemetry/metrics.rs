//! The metrics of calls. Every name and label value comes from a closed set, or is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nebula_metering::{FunctionId, Settled};
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Opts, Registry, TextEncoder,
};

use super::Stored;
use crate::meter::CallEnd;
use crate::outcome::Outcome;
use crate::runtime::Completion;

/// The label of functions beyond the cap.
pub const OTHER: &str = "other";

const EXCEEDED: &str = "nebula_quota_rejections_total";
const EXCEEDED_HELP: &str =
    "Calls that were refused since a quota of their function, or of their caller's token, was used up.";

/// From a microjoule, below any counter's quantum, to 1 kJ: ten seconds of a hundred watts.
const ENERGY_BUCKETS: [f64; 10] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0];

/// From an empty call to a call of minutes.
const DURATION_BUCKETS: [f64; 12] = [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5, 10.0, 60.0];

/// From a free place to the longest wait.
const QUEUE_BUCKETS: [f64; 8] = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 2.5, 10.0];

/// From a pooled instance to one whose memory has to be mapped.
const STARTUP_BUCKETS: [f64; 8] = [2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2];

/// Settled over estimated: within a few percent, and how far beyond.
const RATIO_BUCKETS: [f64; 11] = [0.1, 0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 2.0, 10.0];

/// What comes of changes of what is served.
const DEPLOYMENTS: [&str; 4] = ["deployed", "unchanged", "broken", "removed"];

/// All metrics of this daemon.
pub struct Metrics {
    registry: Registry,
    invocations: IntCounterVec,
    exceeded: IntCounterVec,
    durations: HistogramVec,
    queues: HistogramVec,
    startups: HistogramVec,
    executions: HistogramVec,
    cold_starts: IntCounterVec,
    cold_start_energy: CounterVec,
    cold_start_durations: GaugeVec,
    energy: HistogramVec,
    estimate_ratio: Histogram,
    functions: IntGauge,
    broken: IntGauge,
    deployments: IntCounterVec,
    in_flight: IntGauge,
    labels: Arc<Labels>,
}

/// Handles to the metrics of one function, so that no call looks anything up.
pub struct FunctionMetrics {
    outcomes: [IntCounter; Outcome::ALL.len()],
    /// Of this version alone.
    counted: [AtomicU64; Outcome::ALL.len()],
    duration: Histogram,
    queue: Histogram,
    startup: Histogram,
    execution: Histogram,
    cold_starts: IntCounter,
    exceeded: IntCounterVec,
    label: Arc<str>,
    cold_start_duration: Gauge,
    energy: Histogram,
}

/// The label of each function. Only so many functions have one of their own.
pub struct Labels {
    max: usize,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    names: BTreeSet<Arc<str>>,
    by_id: BTreeMap<FunctionId, Arc<str>>,
}

impl Metrics {
    /// At most `functions_max` functions have labels of their own.
    ///
    /// # Errors
    /// Never with the names in this file; a test pins them.
    #[allow(clippy::too_many_lines, reason = "a list of metrics")]
    pub fn new(functions_max: usize) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let register = |collector: Box<dyn Collector>| registry.register(collector);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            register(Box::new(counters.clone())).map(|()| counters)
        };
        let histograms = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let histograms = HistogramVec::new(options, &["function"])?;
            register(Box::new(histograms.clone())).map(|()| histograms)
        };
        let invocations = counters(
            "nebula_invocations_total",
            "Calls by how they ended. Rejected ones did not run.",
            &["function", "outcome"],
        )?;
        let exceeded = counters(EXCEEDED, EXCEEDED_HELP, &["function", "quota", "of"])?;
        let cold_starts = counters(
            "nebula_cold_starts_total",
            "First calls of a function since the daemon loaded it.",
            &["function"],
        )?;
        let deployments = counters(
            "nebula_deployments_total",
            "Changes of what is served, over HTTP or in the directory, by what came of them: deployed, unchanged, broken, \
             removed.",
            &["result"],
        )?;
        for result in DEPLOYMENTS {
            deployments.with_label_values(&[result]);
        }
        let cold_start_energy = CounterVec::new(
            Opts::new(
                "nebula_cold_start_energy_joules_total",
                "Settled active energy of compiling functions, or finding them in the cache, and linking them; part of \
                 their active energy.",
            ),
            &["function"],
        )?;
        register(Box::new(cold_start_energy.clone()))?;
        let cold_start_durations = GaugeVec::new(
            Opts::new(
                "nebula_cold_start_duration_seconds",
                "Time that it took to compile a function, or find it in the cache, and link it.",
            ),
            &["function"],
        )?;
        register(Box::new(cold_start_durations.clone()))?;
        let durations = histograms(
            "nebula_invocation_duration_seconds",
            "Time of a call from its admission to its end.",
            &DURATION_BUCKETS,
        )?;
        let queues = histograms(
            "nebula_invocation_queue_seconds",
            "Time of a call from its arrival to its admission.",
            &QUEUE_BUCKETS,
        )?;
        let startups = histograms(
            "nebula_invocation_startup_seconds",
            "Time from the start of a call to the first instruction of its instance.",
            &STARTUP_BUCKETS,
        )?;
        let executions = histograms(
            "nebula_invocation_execution_seconds",
            "Time from the first instruction of a call's instance to its end.",
            &DURATION_BUCKETS,
        )?;
        let energy = histograms(
            "nebula_invocation_energy_joules",
            "Settled active energy of a call. Calls whose energy is not fully known are not in it.",
            &ENERGY_BUCKETS,
        )?;
        let ratio = HistogramOpts::new(
            "nebula_estimate_ratio",
            "Settled active energy of a call divided by the estimate that was in its answer.",
        );
        let estimate_ratio = Histogram::with_opts(ratio.buckets(RATIO_BUCKETS.to_vec()))?;
        register(Box::new(estimate_ratio.clone()))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let functions = gauge("nebula_functions", "Functions that can be called.")?;
        let broken =
            gauge("nebula_broken_functions", "Files in the directory of functions that are not served as they are.")?;
        let in_flight = gauge("nebula_in_flight_invocations", "Calls that run now.")?;
        let labels = Arc::new(Labels { max: functions_max, given: Mutex::default() });
        Ok(Self {
            registry,
            invocations,
            exceeded,
            durations,
            queues,
            startups,
            executions,
            cold_starts,
            cold_start_energy,
            cold_start_durations,
            energy,
            estimate_ratio,
            functions,
            broken,
            deployments,
            in_flight,
            labels,
        })
    }

    /// Adds metrics that are collected when asked for.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(&self, collector: impl Collector + 'static) -> prometheus::Result<()> {
        self.registry.register(Box::new(collector))
    }

    /// Takes in how many functions are served, and how many files are not.
    pub fn count_functions(&self, served: usize, broken: usize) {
        let shown = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.functions.set(shown(served));
        self.broken.set(shown(broken));
    }

    /// Counts a change of what is served.
    pub fn count_deployment(&self, result: &'static str) {
        self.deployments.with_label_values(&[result]).inc();
    }

    /// The metrics of a new version of a function: all its versions share them.
    #[must_use]
    pub fn function(&self, id: FunctionId, name: &str) -> FunctionMetrics {
        let label = self.labels.give(id, name);
        let outcome = |outcome: Outcome| self.invocations.with_label_values(&[&*label, outcome.as_str()]);
        FunctionMetrics {
            outcomes: Outcome::ALL.map(outcome),
            counted: Default::default(),
            duration: self.durations.with_label_values(&[&*label]),
            queue: self.queues.with_label_values(&[&*label]),
            startup: self.startups.with_label_values(&[&*label]),
            execution: self.executions.with_label_values(&[&*label]),
            cold_starts: self.cold_starts.with_label_values(&[&*label]),
            exceeded: self.exceeded.clone(),
            cold_start_duration: self.cold_start_durations.with_label_values(&[&*label]),
            energy: self.energy.with_label_values(&[&*label]),
            label,
        }
    }

    /// Has counters go on from where earlier daemons have left them. Once, when the functions that are served have their
    /// labels.
    pub fn go_on(&self, stored: &Stored) {
        for (name, calls) in &stored.calls {
            let label = self.labels.of_stored(name);
            for (outcome, calls) in Outcome::ALL.into_iter().zip(calls).filter(|(_, calls)| **calls > 0) {
                self.invocations.with_label_values(&[&*label, outcome.as_str()]).inc_by(*calls);
            }
        }
        for (name, cold_starts) in stored.cold_starts.iter().filter(|(_, cold_starts)| **cold_starts > 0) {
            self.cold_starts.with_label_values(&[&*self.labels.of_stored(name)]).inc_by(*cold_starts);
        }
    }

    /// How many calls run now.
    pub fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    /// The label of each function.
    pub fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    /// Takes in a settled call, or cold start, of the function that `metrics` belong to.
    pub fn settled(&self, metrics: &FunctionMetrics, call: &Settled<CallEnd>) {
        let Some(charge) = &call.charge else { return };
        let settled = charge.active.joules().0;
        let CallEnd::Call { ended, .. } = &call.end else {
            // Once for each function; where nothing is measured there is no such figure.
            self.cold_start_energy.with_label_values(&[&*metrics.label]).inc_by(settled);
            return;
        };
        metrics.energy.observe(settled);
        let estimate = ended.estimate.as_ref().map_or(0.0, |estimate| estimate.active.0);
        if estimate > 0.0 {
            self.estimate_ratio.observe(settled / estimate);
        }
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be written, which its registration excludes.
    pub fn render(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
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
    pub fn observe(&self, duration: Duration, queued: Duration, completion: &Completion, cold_start: bool) {
        self.duration.observe(duration.as_secs_f64());
        self.queue.observe(queued.as_secs_f64());
        self.startup.observe(completion.startup.as_secs_f64());
        self.execution.observe(completion.execution.as_secs_f64());
        if cold_start {
            self.cold_starts.inc();
        }
    }
}

impl Labels {
    /// The label of this function.
    #[must_use]
    pub fn of(&self, function: FunctionId) -> Arc<str> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.by_id.get(&function).cloned().unwrap_or_else(|| OTHER.into())
    }

    /// The label of a function that earlier daemons knew: from then on its own, if there is one left.
    #[must_use]
    pub fn of_stored(&self, name: &str) -> Arc<str> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        match given.names.get(name) {
            Some(label) => label.clone(),
            None if name != OTHER && given.names.len() < self.max => {
                let label: Arc<str> = name.into();
                given.names.insert(label.clone());
                label
            }
            None => OTHER.into(),
        }
    }

    /// Gives this account the label of its function.
    pub fn give(&self, function: FunctionId, name: &str) -> Arc<str> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let label = match given.names.get(name) {
            Some(label) => label.clone(),
            None if given.names.len() < self.max => name.into(),
            None => return OTHER.into(),
        };
        given.names.insert(label.clone());
        given.by_id.insert(function, label.clone());
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_beyond_the_cap_share_a_label() {
        let metrics = Metrics::new(2).unwrap();
        for (id, name) in (0..).map(FunctionId).zip(["a", "b", "c", "d"]) {
            let _ = metrics.function(id, name);
        }
        let _ = metrics.function(FunctionId(4), "b");
        let labels = [0, 1, 2, 3, 4].map(|id| metrics.labels().of(FunctionId(id)));
        assert_eq!(labels.each_ref().map(AsRef::as_ref), ["a", "b", OTHER, OTHER, "b"]);
    }
}
