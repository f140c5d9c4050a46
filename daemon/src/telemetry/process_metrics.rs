//! The metrics of the process itself, which have the same names everywhere.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use rustix::time::{ClockId, clock_gettime};

use super::families::Family;

/// The library tells it in whole seconds, of which a rate over a minute makes steps of 1.7 % of a processor.
const CPU: Family =
    Family { name: "process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds.", labels: &[] };

/// Collects what the library does, and CPU time as exactly as the kernel knows it.
pub struct ProcessMetrics(ProcessCollector);

impl ProcessMetrics {
    /// Of this process.
    #[must_use]
    pub fn of_self() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        families.retain(|family| family.name() != CPU.name);
        let cpu = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
        families.push(CPU.counters([([], cpu.as_secs_f64())]));
        families
    }
}
