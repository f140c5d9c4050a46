//! How storing goes, as metrics.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::keeper::Status;
use super::log::Counts;
use crate::telemetry::Family;

const ROWS: Family =
    Family { name: "nebula_usage_rows", help: "Rows of stored accounts, as counted once an hour.", labels: &[] };
const FLUSHES: Family = Family {
    name: "nebula_usage_flushes_total",
    help: "Times that accounts were to be stored, by whether they could be. What could not be is stored with the next.",
    labels: &["result"],
};
const FAILING: Family = Family {
    name: "nebula_usage_failing_seconds",
    help: "Seconds for which accounts could not be stored; 0 while they can.",
    labels: &[],
};
const LINES: Family = Family {
    name: "nebula_usage_log_lines_total",
    help: "Lines of the usage log that were written, and that were dropped since they came faster than they could be.",
    labels: &["result"],
};

/// Collects how storing goes.
pub struct UsageCollector {
    status: Option<Arc<Status>>,
    log: Option<Arc<Counts>>,
    /// By which a registry tells collectors apart.
    descs: Vec<Desc>,
}

impl UsageCollector {
    /// Of the accounts that are stored, and of the log that is written, where they are.
    ///
    /// # Errors
    /// Never with the names in this file; a test pins them.
    pub fn new(status: Option<Arc<Status>>, log: Option<Arc<Counts>>) -> prometheus::Result<Self> {
        let descs = [ROWS, FLUSHES, FAILING, LINES].iter().map(Family::desc).collect::<prometheus::Result<_>>()?;
        Ok(Self { status, log, descs })
    }
}

impl Collector for UsageCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let results = |results: [(&'static str, u64); 2]| results.map(|(result, count)| ([result], count as f64));
        let mut families = Vec::new();
        if let Some(status) = &self.status {
            families.push(FLUSHES.counters(results([("stored", status.stored()), ("failed", status.failed())])));
            families.push(FAILING.gauges([([], status.failing_for().as_secs_f64())]));
            families.push(ROWS.gauges([([], status.rows() as f64)]));
        }
        if let Some(log) = &self.log {
            families.push(LINES.counters(results([("written", log.written()), ("dropped", log.dropped())])));
        }
        families
    }
}
