//! The options of stored accounts and of the usage log.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::{Checker, Setting, defaulted, duration, file_path, optional};

pub const OPTIONS: &[Setting] = &[
    defaulted("usage.flush", "DURATION", "1s", "Store accounts this often"),
    defaulted(
        "usage.keep",
        "DURATION",
        "400d",
        "Keep accounts by the hour for this long; older hours become one sum, and 0 stores no accounts at all",
    ),
    defaulted(
        "usage.rows",
        "COUNT",
        "1000000",
        "Keep at most this many rows of accounts, at some 40 bytes each; beyond that, hours become one sum sooner",
    ),
    optional("usage.log", "FILE", "Write a line of JSON to this file for each settled call"),
    defaulted("usage.log-size", "SIZE", "100MiB", "Begin a new usage log at this size"),
    defaulted("usage.log-keep", "COUNT", "10", "Keep this many earlier usage logs, as FILE.1 and so on"),
    defaulted("usage.log-queue", "COUNT", "65536", "Lines that wait to be written to the usage log; more are dropped"),
];

/// A year has 8766 hours; nobody asks for the hours of a century.
const DAYS_MAX: u32 = 36_525;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Debug)]
pub struct Settings {
    /// Time between two flushes.
    pub flush: Duration,
    /// For how long hours are kept apart; zero if nothing is to be stored.
    pub keep: Duration,
    /// Most rows of the file.
    pub rows: u64,
    /// A file with a line for each settled call.
    pub log: Option<PathBuf>,
    /// Bytes at which the next log file begins.
    pub log_size: u64,
    /// Earlier log files that are kept.
    pub log_keep: usize,
    /// Lines that wait to be written.
    pub log_queue: usize,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        Self {
            flush: check.duration("usage.flush", &(Duration::from_millis(100)..=Duration::from_secs(3600))),
            keep: check.parse("usage.keep", days),
            rows: check.number("usage.rows", 1000..=100_000_000),
            log: check.optional("usage.log", file_path),
            log_size: check.size("usage.log-size", 4 << 10..=1 << 40) as u64,
            log_keep: check.number("usage.log-keep", 0..=10_000),
            log_queue: check.number("usage.log-queue", 1..=1 << 24),
        }
    }
}

/// Days such as `400d`, hours such as `36h`, or `0`.
fn days(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').unwrap_or(if text == "0" { "0" } else { "" });
    let time = match days.parse::<u32>() {
        Ok(days) => (days <= DAYS_MAX).then(|| DAY * days),
        Err(_) => duration(text).ok(),
    };
    let hours = |time: &Duration| time.is_zero() || *time >= Duration::from_secs(3600);
    time.filter(hours).ok_or_else(|| format!("it must be 0, or a time such as 400d or 36h, from 1h to {DAYS_MAX}d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_keep_are_of_days_or_hours_or_none() {
        for (text, hours) in
            [("400d", 9600), ("1d", 24), ("36h", 36), ("60m", 1), ("0", 0), ("0d", 0), ("36525d", 876_600)]
        {
            assert_eq!(days(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        for text in ["", "d", "-1d", "59m", "1", "1.5d", "36526d", "1s"] {
            assert!(days(text).is_err(), "{text}");
        }
    }
}
