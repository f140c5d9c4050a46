//! What is kept of what functions used.

use std::path::PathBuf;
use std::time::Duration;

use super::{Checker, duration, some_path};

/// A year has 8766 hours; nobody asks for the hours of a century.
const DAYS_MAX: u32 = 36_525;

const DAY: Duration = Duration::from_secs(86_400);

/// What is kept of what functions used.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Time between two times that it is stored.
    pub flush: Duration,
    /// For how long each hour is kept by itself; zero where nothing is to be stored.
    pub keep: Duration,
    /// Rows of the file.
    pub rows: u64,
    /// A file with a line for each call.
    pub log: Option<PathBuf>,
    /// Bytes of it until the next one is begun.
    pub log_size: u64,
    /// How many are kept besides.
    pub log_keep: usize,
    /// Lines that wait to be written.
    pub log_queue: usize,
}

impl Usage {
    pub(super) fn check(check: &mut Checker<'_>) -> Self {
        Self {
            flush: check.duration("usage.flush", &(Duration::from_millis(100)..=Duration::from_secs(3600))),
            keep: check.parse("usage.keep", days),
            rows: check.number("usage.rows", 1000..=100_000_000),
            log: check.optional("usage.log", some_path),
            log_size: check.size("usage.log-size", 4 << 10..=1 << 40) as u64,
            log_keep: check.number("usage.log-keep", 0..=10_000),
            log_queue: check.number("usage.log-queue", 1..=1 << 24),
        }
    }
}

/// A time of days such as `400d`, or of hours; none of it for `0`.
fn days(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').unwrap_or(if text == "0" { "0" } else { "" });
    let time = match days.parse::<u32>() {
        Ok(days) => (days <= DAYS_MAX).then(|| DAY * days),
        Err(_) => duration(text).ok(),
    };
    let hours = |time: &Duration| time.is_zero() || *time >= Duration::from_secs(3600);
    time.filter(hours).ok_or_else(|| {
        format!("it is a time such as 400d or 36h, of an hour at least, of {DAYS_MAX} days at most, or 0")
    })
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
