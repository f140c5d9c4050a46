//! Storing and logging as metrics.

use std::sync::Arc;

use super::flusher::FlushStatus;
use super::log::Counts;
use crate::telemetry::Metric;

/// How storing accounts goes.
pub const STORING: &[Metric<Arc<FlushStatus>>] = &[
    Metric::gauge("nebula_usage_rows", "Rows of stored accounts, counted once an hour.", &[], |status, samples| {
        samples.set(status.rows() as f64);
    }),
    Metric::counter(
        "nebula_usage_flushes_total",
        "Attempts to store accounts, by result. The next attempt also stores what a failed one could not.",
        &["result"],
        |status, samples| {
            samples.add(&["stored"], status.stored() as f64);
            samples.add(&["failed"], status.failed() as f64);
        },
    ),
    Metric::gauge(
        "nebula_usage_failing_seconds",
        "Seconds for which storing accounts has failed; 0 while it works.",
        &[],
        |status, samples| samples.set(status.failing_for().as_secs_f64()),
    ),
];

/// How many lines the usage log has.
pub const LOGGING: &[Metric<Arc<Counts>>] = &[Metric::counter(
    "nebula_usage_log_lines_total",
    "Lines of the usage log, by result: written, or dropped because they came faster than they could be written.",
    &["result"],
    |counts, samples| {
        samples.add(&["written"], counts.written() as f64);
        samples.add(&["dropped"], counts.dropped() as f64);
    },
)];
