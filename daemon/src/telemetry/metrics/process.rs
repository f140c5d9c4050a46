//! The metrics of the process itself, which have the same names in every program.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use rustix::time::{ClockId, clock_gettime};

use crate::telemetry::collector::Metric;

const CPU_NAME: &str = "process_cpu_seconds_total";

/// As finely as the kernel knows it. The library shows whole seconds, so that a rate over a minute has steps of 1.7 % of a
/// processor.
pub const CPU: &[Metric<Duration>] =
    &[Metric::counter(CPU_NAME, "Total user and system CPU time spent in seconds.", &[], |time, samples| {
        samples.set(time.as_secs_f64());
    })];

/// The CPU time of this process.
pub fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// What the library collects, but for CPU time.
pub struct ProcessMetrics(pub ProcessCollector);

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc().into_iter().filter(|desc| desc.fq_name != CPU_NAME).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        families.retain(|family| family.name() != CPU_NAME);
        families
    }
}
