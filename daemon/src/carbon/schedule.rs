//! A file of carbon intensities by time: by moments, or by time of day.
//!
//! ```csv
//! start,g_per_kwh
//! 2026-03-01T00:00:00Z,212
//! 2026-03-01T01:00:00Z,198.5
//! ```
//!
//! A figure holds until the next one. `HH:MM` instead of a moment is a time of every day, in UTC.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use csv::{ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use super::units::GramsPerKilowattHour;
use crate::settings::{rfc3339, time_of_day};

/// More than ten years of hours.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Mistakes that are shown. Further ones are usually the same mistake again.
const MISTAKES_MAX: usize = 20;

const HEADER: [&str; 2] = ["start", "g_per_kwh"];
const DAY: u64 = 86_400;

#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// From each moment until the next, in order.
    Moments(Vec<(SystemTime, GramsPerKilowattHour)>),
    /// From each time of the day, in seconds after midnight UTC, until the next, in order.
    Daily(Vec<(u64, GramsPerKilowattHour)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduledIntensity {
    pub intensity: GramsPerKilowattHour,
    /// Since when it holds.
    pub since: SystemTime,
    /// Whether no other figure follows.
    pub is_last: bool,
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
    /// # Errors
    /// If the file cannot be read, or anything in it is wrong.
    pub fn read(path: &Path) -> Result<Self, ScheduleError> {
        let failed = |source| ScheduleError::Read { path: path.into(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
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
        let mut rows = Rows::default();
        match records.next() {
            Some((_, Ok(header))) if header == HEADER[..] => {}
            _ => rows.mistake(1, "the first line must be `start,g_per_kwh`"),
        }
        for (line, record) in records {
            if let Err(why) = record.and_then(|record| rows.take(&record)) {
                rows.mistake(line, &why);
            }
        }
        rows.finish()
    }

    /// The figure at `time`; `None` before the first.
    #[must_use]
    pub fn at(&self, time: SystemTime) -> Option<ScheduledIntensity> {
        match self {
            Self::Moments(rows) => {
                let index = rows.partition_point(|(start, _)| *start <= time).checked_sub(1)?;
                let (since, intensity) = rows[index];
                Some(ScheduledIntensity { intensity, since, is_last: index + 1 == rows.len() })
            }
            Self::Daily(rows) => {
                let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let (midnight, second) = (since_epoch - since_epoch % DAY, since_epoch % DAY);
                let index = rows.partition_point(|(start, _)| *start <= second).checked_sub(1);
                // Before the first figure of the day, the last one of the day before holds.
                let (midnight, (start, intensity)) = match index {
                    Some(index) => (midnight, rows[index]),
                    None => (midnight.saturating_sub(DAY), *rows.last()?),
                };
                let since = UNIX_EPOCH + Duration::from_secs(midnight + start);
                Some(ScheduledIntensity { intensity, since, is_last: false })
            }
        }
    }
}

#[derive(Default)]
struct Rows {
    moments: Vec<(SystemTime, GramsPerKilowattHour)>,
    daily: Vec<(u64, GramsPerKilowattHour)>,
    mistakes: Vec<String>,
    further: usize,
}

impl Rows {
    fn take(&mut self, record: &StringRecord) -> Result<(), String> {
        let (Some(start), Some(figure), 2) = (record.get(0), record.get(1), record.len()) else {
            return Err(format!("expected a start and an intensity, found {} fields", record.len()));
        };
        let intensity = GramsPerKilowattHour::read(figure).map_err(|why| format!("`{figure}` is not valid: {why}"));
        let mixed = "moments and times of day cannot be mixed";
        let late =
            |follows: bool| if follows { Ok(()) } else { Err(format!("`{start}` must be later than the line before")) };
        if let Some(minutes) = time_of_day(start) {
            let seconds = u64::from(minutes) * 60;
            if !self.moments.is_empty() {
                return Err(mixed.into());
            }
            late(self.daily.last().is_none_or(|(last, _)| *last < seconds))?;
            self.daily.push((seconds, intensity?));
        } else if let Some(moment) = rfc3339(start) {
            if !self.daily.is_empty() {
                return Err(mixed.into());
            }
            late(self.moments.last().is_none_or(|(last, _)| *last < moment))?;
            self.moments.push((moment, intensity?));
        } else {
            return Err(format!(
                "`{start}` is neither a moment such as 2026-03-01T00:00:00Z nor a time of day such as 07:30"
            ));
        }
        Ok(())
    }

    fn mistake(&mut self, line: u64, why: &str) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(format!("line {line}: {why}"));
        } else {
            self.further += 1;
        }
    }

    fn finish(mut self) -> Result<Schedule, Vec<String>> {
        if self.further > 0 {
            self.mistakes.push(format!("and {} more", self.further));
        }
        if self.mistakes.is_empty() && self.moments.is_empty() && self.daily.is_empty() {
            self.mistakes.push("there are no figures after the first line".into());
        }
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        Ok(if self.daily.is_empty() { Schedule::Moments(self.moments) } else { Schedule::Daily(self.daily) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, time: &str) -> Option<(f64, String, bool)> {
        let entry = schedule.at(rfc3339(time).unwrap())?;
        Some((entry.intensity.grams(), humantime::format_rfc3339(entry.since).to_string(), entry.is_last))
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
    fn times_of_the_day_come_again_every_day() {
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
        // Nobody reads it then, and it stands all the same.
        assert_eq!(schedule.at(UNIX_EPOCH).map(|entry| entry.intensity.grams()), Some(1.0));
    }

    #[test]
    fn all_mistakes_are_told_with_their_lines() {
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
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9"], "{mistakes:#?}");
        assert!(mistakes[0].contains("`soon` is neither a moment such as"), "{mistakes:#?}");
        assert!(mistakes[1].ends_with("must be later than the line before"), "{mistakes:#?}");
        assert!(mistakes[2].ends_with("cannot be mixed"), "{mistakes:#?}");
        assert!(mistakes[3].contains("`much` is not valid: an intensity is a number"), "{mistakes:#?}");
        assert!(mistakes[4].contains("found 1 fields"), "{mistakes:#?}");
    }

    #[test]
    fn a_schedule_has_its_header_and_a_line() {
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
    fn mistakes_without_end_are_counted() {
        let mistakes = Schedule::parse(&format!("start,g_per_kwh\n{}", "x,1\n".repeat(100))).unwrap_err();
        assert_eq!((mistakes.len(), mistakes.last().unwrap().as_str()), (21, "and 80 more"));
    }

    #[test]
    fn a_file_is_named_where_it_is_no_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intensity.csv");
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
        std::fs::write(&path, "start,g_per_kwh\n12:00,x\n").unwrap();
        let told = Schedule::read(&path).unwrap_err().to_string();
        assert!(told.contains("intensity.csv` is not a schedule: line 2: `x` is not valid"), "{told}");
        std::fs::write(&path, vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
        std::fs::write(&path, b"start,g_per_kwh\n12:00,\xff\n").unwrap();
        assert!(matches!(Schedule::read(&path), Err(ScheduleError::Read { .. })));
    }
}
