//! The options of stored accounts and of the usage log.

use std::time::Duration;

use super::report::{DAY, time_span};
use super::{HOUR, LogSettings};
use crate::settings::{Checker, Setting, defaulted, file_path, optional};

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

#[derive(Clone, Debug)]
pub struct Settings {
    /// Time between two flushes.
    pub flush: Duration,
    /// For how long hours are kept apart; zero if nothing is to be stored.
    pub keep: Duration,
    /// Most rows of the file.
    pub rows: u64,
    pub log: Option<LogSettings>,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let size = check.size("usage.log-size", 4 << 10..=1 << 40) as u64;
        let keep = check.number("usage.log-keep", 0..=10_000);
        let queue = check.number("usage.log-queue", 1..=1 << 24);
        let log = check.optional("usage.log", file_path);
        Self {
            flush: check.duration("usage.flush", &(Duration::from_millis(100)..=HOUR)),
            keep: check.parse("usage.keep", kept),
            rows: check.number("usage.rows", 1000..=100_000_000),
            log: log.map(|file| LogSettings { file, size, keep, queue }),
        }
    }
}

/// A time such as `400d` or `36h`, or `0`.
fn kept(text: &str) -> Result<Duration, String> {
    let time = if text == "0" { Some(Duration::ZERO) } else { time_span(text) };
    let is_kept = |time: &Duration| time.is_zero() || (HOUR..=DAYS_MAX * DAY).contains(time);
    time.filter(is_kept).ok_or_else(|| format!("it must be 0, or a time such as 400d or 36h, from 1h to {DAYS_MAX}d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_kept_for_days_or_hours_or_not_at_all() {
        for (text, hours) in
            [("400d", 9600), ("1d", 24), ("36h", 36), ("60m", 1), ("0", 0), ("0d", 0), ("36525d", 876_600)]
        {
            assert_eq!(kept(text), Ok(hours * HOUR), "{text}");
        }
        for text in ["", "d", "-1d", "59m", "1", "1.5d", "36526d", "1s"] {
            assert!(kept(text).is_err(), "{text}");
        }
    }
}
