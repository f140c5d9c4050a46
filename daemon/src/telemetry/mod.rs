//! What the daemon tells of itself: metrics, logs, and the last calls.

mod energy_metrics;
mod guest_log;
mod logging;
mod metrics;
mod recent;

use std::error::Error;

pub use energy_metrics::EnergyCollector;
pub use guest_log::{escaped, log_guest};
pub use logging::{LogFormat, LogLevel, start_logging};
pub use metrics::{FunctionMetrics, Labels, Metrics};
pub use recent::{RecentCall, RecentCalls};

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
