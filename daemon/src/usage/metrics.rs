//! How storing goes, as metrics.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, Gauge, Opts};

use super::keeper::Status;
use super::log::Counts;

/// Collects how storing goes.
pub struct UsageCollector {
    status: Option<Arc<Status>>,
    log: Option<Arc<Counts>>,
    rows: Gauge,
}

impl UsageCollector {
    /// Of the accounts that are stored, and of the log that is written, where they are.
    ///
    /// # Errors
    /// Never with the names in this file; a test pins them.
    pub fn new(status: Option<Arc<Status>>, log: Option<Arc<Counts>>) -> prometheus::Result<Self> {
        let rows = Gauge::new("nebula_usage_rows", "Rows of stored accounts, as counted once an hour.")?;
        Ok(Self { status, log, rows })
    }
}

impl Collector for UsageCollector {
    fn desc(&self) -> Vec<&Desc> {
        // By this one the registry knows the collector.
        self.rows.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        if let Some(status) = &self.status {
            let help = "Times that accounts were to be stored, by whether they could be. What could not be is stored with the next.";
            let results = [("stored", status.stored()), ("failed", status.failed())];
            families.extend(counters("nebula_usage_flushes_total", help, results));
            let help = "Seconds for which accounts could not be stored; 0 while they can.";
            families.extend(gauge("nebula_usage_failing_seconds", help, status.failing_for().as_secs_f64()));
            self.rows.set(status.rows() as f64);
            families.extend(self.rows.collect());
        }
        if let Some(log) = &self.log {
            let help = "Lines of the usage log that were written, and that were dropped since they came faster than they could be.";
            let results = [("written", log.written()), ("dropped", log.dropped())];
            families.extend(counters("nebula_usage_log_lines_total", help, results));
        }
        families
    }
}

fn counters(name: &str, help: &str, results: [(&str, u64); 2]) -> Vec<MetricFamily> {
    let Ok(counters) = CounterVec::new(Opts::new(name, help), &["result"]) else { return Vec::new() };
    for (result, value) in results {
        counters.with_label_values(&[result]).inc_by(value as f64);
    }
    counters.collect()
}

fn gauge(name: &str, help: &str, value: f64) -> Vec<MetricFamily> {
    let Ok(gauge) = Gauge::new(name, help) else { return Vec::new() };
    gauge.set(value);
    gauge.collect()
}
