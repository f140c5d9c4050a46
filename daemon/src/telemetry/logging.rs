//! Logs to stderr, as text or as JSON.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One object per line.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub LevelFilter);

/// Starts logging. A second start in the same process changes nothing.
pub fn start_logging(format: LogFormat, level: LogLevel) {
    // Warnings only from other crates, unless debugging was asked for: wasmtime-wasi opens a span at level info for every call
    // from a guest into the host.
    let others = if level.0 > LevelFilter::INFO { level.0 } else { level.0.min(LevelFilter::WARN) };
    // Warnings that guests and the services they call can cause are not ours.
    let guests = if level.0 > LevelFilter::INFO { level.0 } else { level.0.min(LevelFilter::ERROR) };
    let wanted =
        Targets::new().with_target("nebula", level.0).with_target("wasmtime_wasi", guests).with_default(others);
    let is_terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal);
    let lines = match format {
        LogFormat::Text if is_terminal => lines.with_target(false).without_time().boxed(),
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Fails only if logging was started before.
    let _ = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
}
