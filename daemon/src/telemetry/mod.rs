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
pub use metrics::{FunctionMetrics, Metrics};
pub use recent::{RecentCall, RecentCalls};

/// An error with its causes, in one line that can steer no terminal: some errors draw pictures of the text they are
/// about.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_harmless_line() {
        let cause = std::io::Error::other("expected `(`\n   --> <anon>:1:1\n    |\n  1 | \u{1b}[2Jnonsense");
        let error = std::io::Error::other(crate::runtime::CompileError::Link(cause.into()));
        let expected = "cannot link the module: expected `(` --> <anon>:1:1 | 1 | \\u{1b}[2Jnonsense";
        assert_eq!(chain(&error), expected);
    }
}
