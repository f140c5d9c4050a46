//! How much carbon comes with electricity at which time, and since when that is known.

use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::schedule::Schedule;
use super::units::GramsPerKilowattHour;

/// How many figures of an endpoint are remembered, for calls of earlier: five days by the five minutes at which none is
/// repeated, and as a rule more than a month by the hour.
const REMEMBERED_MAX: usize = 1440;

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration has a number.
    Constant,
    /// A schedule in a file.
    Schedule,
    /// An endpoint that is asked.
    Endpoint,
}

impl Origin {
    /// The name that is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Schedule => "schedule",
            Self::Endpoint => "endpoint",
        }
    }
}

/// A figure that may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intensity {
    /// What it is.
    pub figure: GramsPerKilowattHour,
    /// Who says so.
    pub origin: Origin,
    /// Since when it holds; `None` for a constant.
    pub since: Option<SystemTime>,
}

/// Why there is no figure that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unknown {
    /// The endpoint has not answered yet, or had not at that time.
    #[error("the endpoint of `carbon.intensity` has not told the carbon intensity of that time")]
    NotTold,
    /// The schedule begins later.
    #[error("the schedule of `carbon.intensity` begins later")]
    Before,
    /// What was known last is too old.
    #[error("the last carbon intensity that is known is older than {0:?} (`carbon.stale`)")]
    Stale(Duration),
}

/// All that is known of the intensity.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// It is always the same.
    Constant(GramsPerKilowattHour),
    /// A file says it.
    Schedule(Schedule),
    /// What an endpoint has told so far: from when which figure holds, in order.
    Told(Vec<(SystemTime, GramsPerKilowattHour)>),
}

impl Known {
    /// The intensity at `time`. A figure that none follows is used for `stale` and no longer; one of an endpoint is in any
    /// case, as the endpoint may have been silent in between.
    pub fn at(&self, time: SystemTime, stale: Duration) -> Result<Intensity, Unknown> {
        let fresh = |since: SystemTime| match time.duration_since(since) {
            Ok(age) if age > stale => Err(Unknown::Stale(stale)),
            _ => Ok(Some(since)),
        };
        match self {
            Self::Constant(figure) => Ok(Intensity { figure: *figure, origin: Origin::Constant, since: None }),
            Self::Schedule(schedule) => {
                let entry = schedule.at(time).ok_or(Unknown::Before)?;
                let since = if entry.is_last { fresh(entry.since)? } else { Some(entry.since) };
                Ok(Intensity { figure: entry.intensity, origin: Origin::Schedule, since })
            }
            Self::Told(figures) => {
                let index = figures.partition_point(|(since, _)| *since <= time).checked_sub(1);
                let (since, figure) = index.map(|index| figures[index]).ok_or(Unknown::NotTold)?;
                Ok(Intensity { figure, origin: Origin::Endpoint, since: fresh(since)? })
            }
        }
    }

    /// The same, with what an endpoint tells. A figure may be told again, and put right; of figures of the past, which
    /// an endpoint that changed its mind may bring, the last word counts.
    #[must_use]
    pub fn told(&self, since: SystemTime, figure: GramsPerKilowattHour) -> Self {
        let mut figures = match self {
            Self::Told(figures) => figures.clone(),
            Self::Constant(_) | Self::Schedule(_) => Vec::new(),
        };
        figures.truncate(figures.partition_point(|(known, _)| *known < since));
        figures.push((since, figure));
        let surplus = figures.len().saturating_sub(REMEMBERED_MAX);
        figures.drain(..surplus);
        Self::Told(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carbon::time::rfc3339;

    const STALE: Duration = Duration::from_secs(7200);

    fn figure(grams: f64) -> GramsPerKilowattHour {
        GramsPerKilowattHour::new(grams).unwrap()
    }

    fn moment(text: &str) -> SystemTime {
        rfc3339(&format!("2026-03-01T{text}Z")).unwrap()
    }

    fn grams(known: &Known, time: &str) -> Result<f64, Unknown> {
        known.at(moment(time), STALE).map(|intensity| intensity.figure.grams())
    }

    #[test]
    fn a_constant_never_grows_old() {
        let intensity = Known::Constant(figure(302.0)).at(SystemTime::UNIX_EPOCH, Duration::ZERO).unwrap();
        assert_eq!((intensity.origin, intensity.since), (Origin::Constant, None));
    }

    #[test]
    fn only_the_last_figure_of_a_schedule_grows_old() {
        let text = "start,g_per_kwh\n2026-03-01T00:00:00Z,1\n2026-03-01T10:00:00Z,2\n";
        let schedule = Known::Schedule(Schedule::parse(text).unwrap());
        assert_eq!(grams(&schedule, "09:59:59"), Ok(1.0));
        assert_eq!(grams(&schedule, "12:00:00"), Ok(2.0));
        assert_eq!(grams(&schedule, "12:00:00.001"), Err(Unknown::Stale(STALE)));
        assert_eq!(schedule.at(SystemTime::UNIX_EPOCH, STALE), Err(Unknown::Before));
        let daily = Known::Schedule(Schedule::parse("start,g_per_kwh\n06:00,3\n").unwrap());
        assert_eq!(grams(&daily, "05:59:59"), Ok(3.0));
    }

    #[test]
    fn figures_of_an_endpoint_hold_until_the_next_and_grow_old() {
        let none = Known::Told(Vec::new());
        assert_eq!(grams(&none, "12:00:00"), Err(Unknown::NotTold));
        let known = none.told(moment("10:00:00"), figure(100.0)).told(moment("15:00:00"), figure(150.0));
        for (time, expected) in [
            ("09:59:59", Err(Unknown::NotTold)),
            ("10:00:00", Ok(100.0)),
            ("12:00:00", Ok(100.0)),
            ("12:00:01", Err(Unknown::Stale(STALE))),
            ("15:00:00", Ok(150.0)),
            ("17:00:00", Ok(150.0)),
            ("17:00:01", Err(Unknown::Stale(STALE))),
        ] {
            assert_eq!(grams(&known, time), expected, "{time}");
        }
        let corrected = known.told(moment("15:00:00"), figure(151.0));
        assert_eq!(grams(&corrected, "15:30:00"), Ok(151.0));
        assert_eq!(grams(&corrected, "10:30:00"), Ok(100.0));
    }

    #[test]
    fn only_so_many_figures_are_remembered() {
        let mut known = Known::Told(Vec::new());
        for minute in 0..REMEMBERED_MAX as u64 + 10 {
            known = known.told(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute), figure(1.0));
        }
        let Known::Told(figures) = known else { panic!("{known:?}") };
        assert_eq!((figures.len(), figures[0].0), (REMEMBERED_MAX, SystemTime::UNIX_EPOCH + Duration::from_secs(600)));
    }
}
