//! Logs to stderr, as text or as JSON.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// Which log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub LevelFilter);

/// Starts logging. A second start in the same process changes nothing.
pub fn start_logging(format: LogFormat, level: LogLevel) {
    let builder = fmt().with_writer(std::io::stderr).with_max_level(level.0).with_target(false);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    // It fails only where logging was started before.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_target(true).try_init(),
    };
}
