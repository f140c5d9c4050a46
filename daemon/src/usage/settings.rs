//! The options of stored accounts and of the usage log.

use std::path::PathBuf;
use std::time::Duration;

use super::report::{DAY, time_span};
use super::{HOUR, LogSettings};
use crate::settings::{duration_in, file_path, number_in, options, size_in};

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Store accounts this often
        flush: Duration => "usage.flush", DURATION = "1s", duration_in(Duration::from_millis(100)..=HOUR);
        /// Keep accounts by the hour for this long; older hours become one sum, and 0 stores no accounts at all
        keep: Duration => "usage.keep", DURATION = "400d", kept;
        /// Keep at most this many rows of accounts, at some 40 bytes each; beyond that, hours become one sum sooner
        rows: u64 => "usage.rows", COUNT = "1000000", number_in(1000..=100_000_000);
        /// Write a line of JSON to this file for each settled call
        log_file: Option<PathBuf> => "usage.log", FILE, file_path;
        /// Begin a new usage log at this size
        log_size: u64 => "usage.log-size", SIZE = "100MiB", size_in(4 << 10..=1 << 40);
        /// Keep this many earlier usage logs, as FILE.1 and so on
        log_keep: usize => "usage.log-keep", COUNT = "10", number_in(0..=10_000);
        /// Lines that wait to be written to the usage log; more are dropped
        log_queue: usize => "usage.log-queue", COUNT = "65536", number_in(1..=1 << 24);
    }
}

impl Settings {
    /// The usage log, if one is to be written.
    pub fn log(&self) -> Option<LogSettings> {
        let file = self.log_file.clone()?;
        Some(LogSettings { file, size: self.log_size, keep: self.log_keep, queue: self.log_queue })
    }
}

/// A year has 8766 hours; nobody asks for the hours of a century.
const DAYS_MAX: u32 = 36_525;

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
