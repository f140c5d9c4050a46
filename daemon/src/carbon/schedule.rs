//! A file of carbon intensities by time: by moments, or by time of day.
//!
//! ```csv
//! start,g_per_kwh
//! 2026-03-01T00:00:00Z,212
//! 2026-03-01T01:00:00Z,198.5
//! ```
//!
//! A figure holds until the next one. `HH:MM` instead of a moment is a time of every day, in UTC.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use csv::{ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use super::units::GramsPerKilowattHour;
use crate::regular_file;
use crate::settings::{rfc3339, time_of_day};

/// More than ten years of hours.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Mistakes that are shown. Further ones are usually the same mistake again.
const MISTAKES_MAX: usize = 20;

const HEADER: [&str; 2] = ["start", "g_per_kwh"];
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// From each time until the next, in order.
    rows: Vec<(Duration, GramsPerKilowattHour)>,
    /// Whether times are of every day, since midnight UTC; otherwise they are moments, since the start of 1970.
    daily: bool,
}

#[derive(Debug, Error)]
pub enum ScheduleError {
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Each mistake names its line.
    #[error("`{}` is not a schedule: {}", .path.display(), .mistakes.join("; "))]
    Parse { path: PathBuf, mistakes: Vec<String> },
}

impl Schedule {
    pub fn read(path: &Path) -> Result<Self, ScheduleError> {
        let failed = |source| ScheduleError::Read { path: path.into(), source };
        let mut text = String::new();
        let file = regular_file::open(path).map_err(failed)?;
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(failed(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes"))));
        }
        Self::parse(&text).map_err(|mistakes| ScheduleError::Parse { path: path.into(), mistakes })
    }

    /// # Errors
    /// All mistakes, with their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
        let mut records = reader.records().enumerate().map(|(index, record)| match record {
            Ok(record) => {
                let line = record.position().map_or(index as u64 + 1, csv::Position::line);
                (line, Ok(record))
            }
            Err(error) => (index as u64 + 1, Err(format!("cannot read it: {error}"))),
        });
        let header = match records.next() {
            Some((_, Ok(header))) if header == HEADER[..] => None,
            _ => Some("line 1: the first line must be `start,g_per_kwh`".to_owned()),
        };
        let mut schedule = Self { rows: Vec::new(), daily: false };
        let mut wrong = records.filter_map(|(line, record)| {
            let why = record.and_then(|record| schedule.add(&record)).err()?;
            Some(format!("line {line}: {why}"))
        });
        let mut mistakes: Vec<_> = header.into_iter().chain(wrong.by_ref()).take(MISTAKES_MAX).collect();
        let further = wrong.count();
        if further > 0 {
            mistakes.push(format!("and {further} more"));
        }
        if mistakes.is_empty() && schedule.rows.is_empty() {
            mistakes.push("there are no figures after the first line".into());
        }
        if mistakes.is_empty() { Ok(schedule) } else { Err(mistakes) }
    }

    fn add(&mut self, record: &StringRecord) -> Result<(), String> {
        let (Some(start), Some(figure), 2) = (record.get(0), record.get(1), record.len()) else {
            return Err(format!("expected a start and an intensity, found {} fields", record.len()));
        };
        let (time, daily) = match (time_of_day(start), rfc3339(start)) {
            (Some(minutes), _) => (Duration::from_secs(60 * u64::from(minutes)), true),
            (None, Some(moment)) => (moment.duration_since(UNIX_EPOCH).unwrap_or_default(), false),
            (None, None) => {
                return Err(format!(
                    "`{start}` is neither a moment such as 2026-03-01T00:00:00Z nor a time of day such as 07:30"
                ));
            }
        };
        if let Some((last, _)) = self.rows.last() {
            if daily != self.daily {
                return Err("moments and times of day cannot be mixed".into());
            }
            if time <= *last {
                return Err(format!("`{start}` must be later than the line before"));
            }
        }
        let intensity = GramsPerKilowattHour::read(figure).map_err(|why| format!("`{figure}` is not valid: {why}"))?;
        self.daily = daily;
        self.rows.push((time, intensity));
        Ok(())
    }

    /// The figure at `time`, since when it holds, and whether it is the last; `None` before the first.
    pub fn at(&self, time: SystemTime) -> Option<(GramsPerKilowattHour, SystemTime, bool)> {
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let of_day = Duration::new(time.as_secs() % DAY.as_secs(), time.subsec_nanos());
        let midnight = if self.daily { time - of_day } else { Duration::ZERO };
        let index = self.rows.partition_point(|(start, _)| *start <= time - midnight).checked_sub(1);
        // Before the first figure of the day, the last one of the day before holds.
        let (midnight, index) = match index {
            Some(index) => (midnight, index),
            None if self.daily => (midnight.saturating_sub(DAY), self.rows.len() - 1),
            None => return None,
        };
        let (start, figure) = self.rows[index];
        let is_last = !self.daily && index + 1 == self.rows.len();
        Some((figure, UNIX_EPOCH + midnight + start, is_last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, time: &str) -> Option<(f64, String, bool)> {
        let (figure, since, is_last) = schedule.at(rfc3339(time).unwrap())?;
        Some((figure.grams(), humantime::format_rfc3339(since).to_string(), is_last))
    }

    #[test]
    fn a_figure_holds_from_its_moment_until_the_next() {
        let schedule = Schedule::parse(
            "start,g_per_kwh\n2026-03-01T00:00:00Z,212\n2026-03-01T02:00:00+01:00, 198.5\r\n\n2026-03-01T03:00:00Z,0\n",
        )
        .unwrap();
        let (first, second, third) = ("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "2026-03-01T03:00:00Z");
        for (time, expected) in [
            ("2026-02-28T23:59:59.999Z", None),
            (first, Some((212.0, first, false))),
            ("2026-03-01T00:59:59.999Z", Some((212.0, first, false))),
            (second, Some((198.5, second, false))),
            ("2026-03-01T02:59:59Z", Some((198.5, second, false))),
            (third, Some((0.0, third, true))),
            ("2027-01-01T00:00:00Z", Some((0.0, third, true))),
        ] {
            let expected = expected.map(|(grams, since, is_last)| (grams, since.to_owned(), is_last));
            assert_eq!(at(&schedule, time), expected, "{time}");
        }
    }

    #[test]
    fn times_of_day_repeat_every_day() {
        let schedule = Schedule::parse("start,g_per_kwh\n06:00,300\n22:30,150\n").unwrap();
        for (time, grams, since) in [
            ("2026-03-01T05:59:59Z", 150.0, "2026-02-28T22:30:00Z"),
            ("2026-03-01T06:00:00Z", 300.0, "2026-03-01T06:00:00Z"),
            ("2026-03-01T22:29:59Z", 300.0, "2026-03-01T06:00:00Z"),
            ("2026-03-01T22:30:00Z", 150.0, "2026-03-01T22:30:00Z"),
            ("2026-03-02T00:00:00Z", 150.0, "2026-03-01T22:30:00Z"),
        ] {
            assert_eq!(at(&schedule, time), Some((grams, since.to_owned(), false)), "{time}");
        }
        // One figure holds all day.
        let schedule = Schedule::parse("start,g_per_kwh\n12:00,1\n").unwrap();
        assert_eq!(at(&schedule, "2026-03-01T11:00:00Z"), Some((1.0, "2026-02-28T12:00:00Z".into(), false)));
        // Even at the start of 1970.
        assert_eq!(schedule.at(UNIX_EPOCH).unwrap().0.grams(), 1.0);
    }

    #[test]
    fn every_mistake_is_reported_with_its_line() {
        let text = "start,g_per_kwh\n\
                    2026-03-01T00:00:00Z,212\n\
                    soon,100\n\
                    2026-03-01T00:00:00Z,212\n\
                    12:00,100\n\
                    2026-03-02T00:00:00Z,much\n\
                    2026-03-03T00:00:00Z\n\
                    2026-03-04T00:00:00Z,1,2\n\
                    2026-03-05T00:00:00Z,-1\n";
        let mistakes = Schedule::parse(text).unwrap_err();
        let expected = [
            "line 3: `soon` is neither a moment such as 2026-03-01T00:00:00Z nor a time of day such as 07:30",
            "line 4: `2026-03-01T00:00:00Z` must be later than the line before",
            "line 5: moments and times of day cannot be mixed",
            "line 6: `much` is not valid: an intensity is a number of grams per kilowatt-hour from 0 to 10000",
            "line 7: expected a start and an intensity, found 1 fields",
            "line 8: expected a start and an intensity, found 3 fields",
            "line 9: `-1` is not valid: an intensity is a number of grams per kilowatt-hour from 0 to 10000",
        ];
        assert_eq!(mistakes, expected);
    }

    #[test]
    fn a_schedule_needs_its_header_and_a_figure() {
        for (text, why) in [
            ("", "line 1: the first line must be `start,g_per_kwh`"),
            ("12:00,100\n13:00,100\n", "line 1: the first line must be `start,g_per_kwh`"),
            ("start,grams\n12:00,100\n", "line 1: the first line must be `start,g_per_kwh`"),
            ("start,g_per_kwh\n", "there are no figures after the first line"),
        ] {
            assert_eq!(Schedule::parse(text).unwrap_err(), [why], "{text}");
        }
    }

    #[test]
    fn mistakes_beyond_the_first_twenty_are_only_counted() {
        let mistakes = Schedule::parse(&format!("start,g_per_kwh\n{}", "x,1\n".repeat(100))).unwrap_err();
        assert_eq!((mistakes.len(), mistakes.last().unwrap().as_str()), (21, "and 80 more"));
    }

    #[test]
    fn an_invalid_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intensity.csv");
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
        std::fs::write(&path, "start,g_per_kwh\n12:00,x\n").unwrap();
        let error = Schedule::read(&path).unwrap_err().to_string();
        assert!(error.contains("intensity.csv` is not a schedule: line 2: `x` is not valid"), "{error}");
        std::fs::write(&path, vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
        std::fs::write(&path, b"start,g_per_kwh\n12:00,\xff\n").unwrap();
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
    }
}
