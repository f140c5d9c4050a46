//! The metrics of calls. Every name and label value comes from a closed set, or is bounded.

mod exemplars;
mod function;
mod instruments;
mod labels;
mod process;
mod text;

use std::sync::Arc;

use nebula_metering::{FunctionId, Settled};
use parking_lot::Mutex;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{CounterVec, GaugeVec, Histogram, HistogramVec, IntCounterVec, IntGauge};

use self::exemplars::{ByLabel, ENERGY_BUCKETS, Exemplar};
use super::collector::{Metric, TableCollector};
use super::stored::Stored;
use crate::meter::CallEnd;
use crate::outcome::Outcome;
pub use function::{FunctionMetrics, SettledSums};
pub use instruments::Instruments;
pub use labels::{Labels, OTHER};
use process::ProcessMetrics;
pub use text::MetricsFormat;

/// From an empty call to a call of minutes.
const DURATION_BUCKETS: [f64; 12] = [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5, 10.0, 60.0];

/// From a free place to the longest wait.
const QUEUE_BUCKETS: [f64; 8] = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 2.5, 10.0];

/// From a pooled instance to one whose memory has to be mapped.
const STARTUP_BUCKETS: [f64; 8] = [2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2];

/// Settled over estimated: within a few percent, and how far beyond.
const RATIO_BUCKETS: [f64; 11] = [0.1, 0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 2.0, 10.0];

const INVOCATION_ENERGY: &str = "nebula_invocation_energy_joules";

const DEPLOYMENT_RESULTS: [&str; 4] = ["deployed", "unchanged", "broken", "removed"];

/// All metrics of this daemon.
pub struct Metrics {
    instruments: Instruments,
    invocations: IntCounterVec,
    exceeded: IntCounterVec,
    durations: HistogramVec,
    queue: Histogram,
    startups: HistogramVec,
    cold_starts: IntCounterVec,
    cold_start_energy: CounterVec,
    cold_start_durations: GaugeVec,
    energy: HistogramVec,
    exemplars: ByLabel,
    estimate_ratio: Histogram,
    functions: IntGauge,
    broken: IntGauge,
    deployments: IntCounterVec,
    pub in_flight: IntGauge,
    pub connections: IntGauge,
    pub labels: Arc<Labels>,
}

impl Metrics {
    /// At most `functions_max` functions have labels of their own.
    #[allow(clippy::too_many_lines, reason = "a table of metrics")]
    pub fn new(functions_max: usize) -> prometheus::Result<Self> {
        let of = Instruments::default();
        let metrics = Self {
            invocations: of.counters(
                "nebula_invocations_total",
                "Calls, by outcome. Rejected calls never ran.",
                &["function", "outcome"],
            )?,
            exceeded: of.counters(
                "nebula_quota_rejections_total",
                "Calls refused because the quota of their function or of the caller's token was used up.",
                &["function", "quota", "of"],
            )?,
            cold_starts: of.counters(
                "nebula_cold_starts_total",
                "First calls of a function after it was loaded.",
                &["function"],
            )?,
            deployments: of.counters(
                "nebula_deployments_total",
                "Deployments over HTTP or through the directory, by result: deployed, unchanged, broken, removed.",
                &["result"],
            )?,
            cold_start_energy: of.float_counters(
                "nebula_cold_start_energy_joules_total",
                "Settled energy in joules of preparing functions that came into service: compiling them or loading them from \
                 the cache, and linking them. It is the component preparing of nebula_function_energy_joules_total.",
                &["function"],
            )?,
            cold_start_durations: of.gauges(
                "nebula_cold_start_duration_seconds",
                "Seconds to compile a function, or to load it from the cache, and to link it.",
                &["function"],
            )?,
            durations: of.histograms(
                "nebula_invocation_duration_seconds",
                "Seconds from a call's admission to its end.",
                &["function"],
                &DURATION_BUCKETS,
            )?,
            startups: of.histograms(
                "nebula_invocation_startup_seconds",
                "Seconds from the start of a call to the first instruction of its instance.",
                &["function"],
                &STARTUP_BUCKETS,
            )?,
            energy: of.histograms(
                INVOCATION_ENERGY,
                "Settled active energy of a call in joules. Calls whose energy is not fully known are left out.",
                &["function"],
                &ENERGY_BUCKETS,
            )?,
            queue: of.histogram(
                "nebula_invocation_queue_seconds",
                "Seconds from a call's arrival to its admission.",
                &QUEUE_BUCKETS,
            )?,
            estimate_ratio: of.histogram(
                "nebula_estimate_ratio",
                "Settled active energy of a call divided by the estimate in its response.",
                &RATIO_BUCKETS,
            )?,
            functions: of.gauge("nebula_functions", "Functions that can be called.")?,
            broken: of.gauge(
                "nebula_broken_functions",
                "Files in the functions directory that failed to load.",
            )?,
            in_flight: of.gauge("nebula_in_flight_invocations", "Calls running now.")?,
            connections: of.gauge("nebula_connections", "Open connections, including idle ones.")?,
            exemplars: ByLabel::default(),
            labels: Arc::new(Labels::new(functions_max)),
            instruments: of,
        };
        for result in DEPLOYMENT_RESULTS {
            metrics.deployments.with_label_values(&[result]);
        }
        let of = &metrics.instruments;
        let build = of.gauges("nebula_build_info", "The version of this program (always 1).", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        of.register(ProcessMetrics(ProcessCollector::for_self()))?;
        metrics.register_table(process::CPU, process::cpu)?;
        Ok(metrics)
    }

    /// Where other rooms make the metrics that they count in.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Adds a room's metrics, whose figures are taken when somebody asks for them.
    pub fn register_table<T: 'static>(
        &self,
        table: &'static [Metric<T>],
        take: impl Fn() -> T + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        self.register_optional_table(table, move || Some(take()))
    }

    /// The same, where figures may be missing: then none of the metrics is shown.
    pub fn register_optional_table<T: 'static>(
        &self,
        table: &'static [Metric<T>],
        take: impl Fn() -> Option<T> + Send + Sync + 'static,
    ) -> prometheus::Result<()> {
        self.instruments.register(TableCollector::new(table, take)?)
    }

    /// Sets how many functions are served, and how many files are not.
    pub fn count_functions(&self, served: usize, broken: usize) {
        let shown = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.functions.set(shown(served));
        self.broken.set(shown(broken));
    }

    /// Counts a change of the functions that are served.
    pub fn count_deployment(&self, result: &'static str) {
        self.deployments.with_label_values(&[result]).inc();
    }

    /// The metrics of a new version of a function: all its versions share them.
    pub fn function(&self, id: FunctionId, name: &str) -> FunctionMetrics {
        let label = self.labels.assign(id, name);
        let outcome = |outcome: Outcome| self.invocations.with_label_values(&[&*label, outcome.as_str()]);
        FunctionMetrics {
            outcomes: Outcome::ALL.map(outcome),
            counted: Default::default(),
            settled: Mutex::default(),
            duration: self.durations.with_label_values(&[&*label]),
            queue: self.queue.clone(),
            startup: self.startups.with_label_values(&[&*label]),
            cold_starts: self.cold_starts.with_label_values(&[&*label]),
            exceeded: self.exceeded.clone(),
            cold_start_duration: self.cold_start_durations.with_label_values(&[&*label]),
            energy: self.energy.with_label_values(&[&*label]),
            exemplars: self.exemplars.of(&label),
            label,
        }
    }

    /// Has counters continue from where earlier daemons left them. To be called once, when the functions that are served
    /// have their labels.
    pub fn continue_from(&self, stored: &Stored) {
        for (name, calls) in &stored.calls {
            let label = self.labels.of_name(name);
            for (outcome, calls) in Outcome::ALL.into_iter().zip(calls).filter(|(_, calls)| **calls > 0) {
                self.invocations.with_label_values(&[&*label, outcome.as_str()]).inc_by(*calls);
            }
        }
        for (name, cold_starts) in stored.cold_starts.iter().filter(|(_, cold_starts)| **cold_starts > 0) {
            self.cold_starts.with_label_values(&[&*self.labels.of_name(name)]).inc_by(*cold_starts);
        }
    }

    /// Counts a settled call, or a settled cold start, of the function that `metrics` belong to.
    pub fn settled(&self, metrics: &FunctionMetrics, call: &Settled<CallEnd>) {
        let Some(charge) = &call.charge else { return };
        let joules = charge.active.joules().0;
        let CallEnd::Call { ended, observer, .. } = &call.end else {
            // Once for each function, and only if energy is measured.
            self.cold_start_energy.with_label_values(&[&*metrics.label]).inc_by(joules);
            return;
        };
        let trace = observer.as_ref().and_then(|observer| observer.trace());
        metrics.settle(charge, Exemplar { invocation: call.call.0, trace, joules, at: ended.at });
        let estimate = ended.estimate.as_ref().map_or(0.0, |estimate| estimate.active.0);
        if estimate > 0.0 {
            self.estimate_ratio.observe(joules / estimate);
        }
    }

    pub fn render(&self, format: MetricsFormat) -> prometheus::Result<Vec<u8>> {
        let mut families = self.instruments.gather();
        families.iter_mut().for_each(remove_empty_histograms);
        families.retain(|family| !family.get_metric().is_empty());
        let exemplars = |family: &str, label: &str| {
            if family == INVOCATION_ENERGY { self.exemplars.find(label) } else { None }
        };
        text::write(&families, format, exemplars)
    }

    /// The same, compressed with gzip.
    pub fn render_compressed(&self, format: MetricsFormat) -> prometheus::Result<Vec<u8>> {
        Ok(text::compressed(&self.render(format)?)?)
    }
}

/// Removes the histograms of functions that nobody has called: of a thousand functions, they would be most of the text.
fn remove_empty_histograms(family: &mut MetricFamily) {
    if family.get_field_type() == MetricType::HISTOGRAM {
        family
            .mut_metric()
            .retain(|metric| metric.get_label().is_empty() || metric.get_histogram().get_sample_count() > 0);
    }
}
