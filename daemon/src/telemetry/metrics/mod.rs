//! The metrics of calls. Every name and label value comes from a closed set, or is bounded.

mod exemplars;
mod function;
mod labels;
mod text;

use std::sync::Arc;

use nebula_metering::{FunctionId, Settled};
use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{
    CounterVec, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use self::exemplars::{ByLabel, ENERGY_BUCKETS, Exemplar};
use super::process_metrics::ProcessMetrics;
use super::stored::Stored;
use crate::meter::CallEnd;
use crate::outcome::Outcome;
pub use function::FunctionMetrics;
use function::SettledCalls;
pub use labels::{Labels, OTHER};
pub use text::Format;

const EXCEEDED: &str = "nebula_quota_rejections_total";
const EXCEEDED_HELP: &str =
    "Calls that were refused since a quota of their function, or of their caller's token, was used up.";

/// From an empty call to a call of minutes.
const DURATION_BUCKETS: [f64; 12] = [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5, 2.5, 10.0, 60.0];

/// From a free place to the longest wait.
const QUEUE_BUCKETS: [f64; 8] = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 2.5, 10.0];

/// From a pooled instance to one whose memory has to be mapped.
const STARTUP_BUCKETS: [f64; 8] = [2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2];

/// Settled over estimated: within a few percent, and how far beyond.
const RATIO_BUCKETS: [f64; 11] = [0.1, 0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 2.0, 10.0];

const INVOCATION_ENERGY: &str = "nebula_invocation_energy_joules";

/// What comes of changes of what is served.
const DEPLOYMENTS: [&str; 4] = ["deployed", "unchanged", "broken", "removed"];

/// All metrics of this daemon.
pub struct Metrics {
    registry: Registry,
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
    in_flight: IntGauge,
    connections: IntGauge,
    labels: Arc<Labels>,
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
                "Settled active energy in joules of compiling functions, or finding them in the cache, and linking them; part of \
                 their active energy.",
            ),
            &["function"],
        )?;
        register(Box::new(cold_start_energy.clone()))?;
        let cold_start_durations = GaugeVec::new(
            Opts::new(
                "nebula_cold_start_duration_seconds",
                "Seconds that it took to compile a function, or find it in the cache, and link it.",
            ),
            &["function"],
        )?;
        register(Box::new(cold_start_durations.clone()))?;
        let durations = histograms(
            "nebula_invocation_duration_seconds",
            "Seconds from the admission of a call to its end.",
            &DURATION_BUCKETS,
        )?;
        let startups = histograms(
            "nebula_invocation_startup_seconds",
            "Seconds from the start of a call to the first instruction of its instance.",
            &STARTUP_BUCKETS,
        )?;
        let energy = histograms(
            INVOCATION_ENERGY,
            "Settled active energy of a call in joules. Calls whose energy is not fully known are not in it.",
            &ENERGY_BUCKETS,
        )?;
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            register(Box::new(histogram.clone())).map(|()| histogram)
        };
        let queue = histogram(
            "nebula_invocation_queue_seconds",
            "Seconds from the arrival of a call to its admission.",
            &QUEUE_BUCKETS,
        )?;
        let estimate_ratio = histogram(
            "nebula_estimate_ratio",
            "Settled active energy of a call divided by the estimate that was in its answer.",
            &RATIO_BUCKETS,
        )?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let functions = gauge("nebula_functions", "Functions that can be called.")?;
        let broken =
            gauge("nebula_broken_functions", "Files in the directory of functions that are not served as they are.")?;
        let in_flight = gauge("nebula_in_flight_invocations", "Calls that run now.")?;
        let connections = gauge("nebula_connections", "Connections that are open, idle ones too.")?;
        let build = IntGaugeVec::new(Opts::new("nebula_build_info", "The version of this program (1)."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        register(Box::new(build))?;
        register(Box::new(ProcessMetrics::of_self()))?;
        let labels = Arc::new(Labels::new(functions_max));
        Ok(Self {
            registry,
            invocations,
            exceeded,
            durations,
            queue,
            startups,
            cold_starts,
            cold_start_energy,
            cold_start_durations,
            energy,
            exemplars: ByLabel::default(),
            estimate_ratio,
            functions,
            broken,
            deployments,
            in_flight,
            connections,
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
            settled: SettledCalls::default(),
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

    /// How many connections are open.
    pub fn connections(&self) -> &IntGauge {
        &self.connections
    }

    /// The label of each function.
    pub fn labels(&self) -> &Arc<Labels> {
        &self.labels
    }

    /// Takes in a settled call, or cold start, of the function that `metrics` belong to.
    pub fn settled(&self, metrics: &FunctionMetrics, call: &Settled<CallEnd>) {
        let Some(charge) = &call.charge else { return };
        let joules = charge.active.joules().0;
        let CallEnd::Call { ended, witness, .. } = &call.end else {
            // Once for each function; where nothing is measured there is no such figure.
            self.cold_start_energy.with_label_values(&[&*metrics.label]).inc_by(joules);
            return;
        };
        let trace = witness.as_ref().and_then(|witness| witness.trace());
        metrics.settle(charge.active, Exemplar { invocation: call.call.0, trace, joules, at: ended.at });
        let estimate = ended.estimate.as_ref().map_or(0.0, |estimate| estimate.active.0);
        if estimate > 0.0 {
            self.estimate_ratio.observe(joules / estimate);
        }
    }

    /// Everything as text.
    ///
    /// # Errors
    /// When a metric cannot be written, which its registration excludes.
    pub fn render(&self, format: Format) -> prometheus::Result<Vec<u8>> {
        let mut families = self.registry.gather();
        families.iter_mut().for_each(leave_out_empty_histograms);
        families.retain(|family| !family.get_metric().is_empty());
        let exemplars = |family: &str, label: &str| {
            if family == INVOCATION_ENERGY { self.exemplars.find(label) } else { None }
        };
        text::write(&families, format, exemplars)
    }

    /// The same, for whoever can read gzip.
    ///
    /// # Errors
    /// As [`Metrics::render`].
    pub fn render_compressed(&self, format: Format) -> prometheus::Result<Vec<u8>> {
        Ok(text::compressed(&self.render(format)?)?)
    }
}

/// Histograms of functions that nobody has called. Of a thousand functions they would be most of the text.
fn leave_out_empty_histograms(family: &mut MetricFamily) {
    if family.get_field_type() == MetricType::HISTOGRAM {
        family
            .mut_metric()
            .retain(|metric| metric.get_label().is_empty() || metric.get_histogram().get_sample_count() > 0);
    }
}
