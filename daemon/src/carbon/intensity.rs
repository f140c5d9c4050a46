//! The carbon intensity of electricity over time.

use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::schedule::Schedule;
use super::units::GramsPerKilowattHour;

/// Figures of an endpoint that are remembered for earlier calls: five days if they change every five minutes, and more than a
/// month if they change every hour.
const REMEMBERED_MAX: usize = 1440;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntensityOrigin {
    Constant,
    Schedule,
    Endpoint,
}

impl IntensityOrigin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Schedule => "schedule",
            Self::Endpoint => "endpoint",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intensity {
    pub figure: GramsPerKilowattHour,
    pub origin: IntensityOrigin,
    /// Since when it holds; `None` for a constant.
    pub since: Option<SystemTime>,
}

/// Why the intensity is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoIntensity {
    #[error("the endpoint of `carbon.intensity` had not answered by then")]
    NotAnswered,
    #[error("the schedule of `carbon.intensity` begins later")]
    Before,
    #[error("the last known carbon intensity is older than {0:?} (`carbon.stale`)")]
    Stale(Duration),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Intensities {
    Constant(GramsPerKilowattHour),
    Schedule(Schedule),
    /// The figures of an endpoint with the times since when they hold, in order.
    Polled(Vec<(SystemTime, GramsPerKilowattHour)>),
}

impl Intensities {
    /// The intensity at `time`. A schedule's last figure is used for at most `stale`, and so is each figure of an endpoint,
    /// which may have failed to answer in between.
    pub fn at(&self, time: SystemTime, stale: Duration) -> Result<Intensity, NoIntensity> {
        let fresh = |since: SystemTime| match time.duration_since(since) {
            Ok(age) if age > stale => Err(NoIntensity::Stale(stale)),
            _ => Ok(Some(since)),
        };
        match self {
            Self::Constant(figure) => Ok(Intensity { figure: *figure, origin: IntensityOrigin::Constant, since: None }),
            Self::Schedule(schedule) => {
                let (figure, since, is_last) = schedule.at(time).ok_or(NoIntensity::Before)?;
                let since = if is_last { fresh(since)? } else { Some(since) };
                Ok(Intensity { figure, origin: IntensityOrigin::Schedule, since })
            }
            Self::Polled(figures) => {
                let index = figures.partition_point(|(since, _)| *since <= time).checked_sub(1);
                let (since, figure) = index.map(|index| figures[index]).ok_or(NoIntensity::NotAnswered)?;
                Ok(Intensity { figure, origin: IntensityOrigin::Endpoint, since: fresh(since)? })
            }
        }
    }

    /// The same with a new figure of the endpoint. It replaces figures that hold from the same time or later: an endpoint may
    /// correct itself.
    pub fn with_polled(&self, since: SystemTime, figure: GramsPerKilowattHour) -> Self {
        let mut figures = match self {
            Self::Polled(figures) => figures.clone(),
            Self::Constant(_) | Self::Schedule(_) => Vec::new(),
        };
        figures.truncate(figures.partition_point(|(known, _)| *known < since));
        figures.push((since, figure));
        let surplus = figures.len().saturating_sub(REMEMBERED_MAX);
        figures.drain(..surplus);
        Self::Polled(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::rfc3339;

    const STALE: Duration = Duration::from_secs(7200);

    fn figure(grams: f64) -> GramsPerKilowattHour {
        GramsPerKilowattHour::new(grams).unwrap()
    }

    fn moment(text: &str) -> SystemTime {
        rfc3339(&format!("2026-03-01T{text}Z")).unwrap()
    }

    fn grams(known: &Intensities, time: &str) -> Result<f64, NoIntensity> {
        known.at(moment(time), STALE).map(|intensity| intensity.figure.grams())
    }

    #[test]
    fn a_constant_is_never_stale() {
        let intensity = Intensities::Constant(figure(302.0)).at(SystemTime::UNIX_EPOCH, Duration::ZERO).unwrap();
        assert_eq!((intensity.origin, intensity.since), (IntensityOrigin::Constant, None));
    }

    #[test]
    fn only_the_last_figure_of_a_schedule_becomes_stale() {
        let text = "start,g_per_kwh\n2026-03-01T00:00:00Z,1\n2026-03-01T10:00:00Z,2\n";
        let schedule = Intensities::Schedule(Schedule::parse(text).unwrap());
        assert_eq!(grams(&schedule, "09:59:59"), Ok(1.0));
        assert_eq!(grams(&schedule, "12:00:00"), Ok(2.0));
        assert_eq!(grams(&schedule, "12:00:00.001"), Err(NoIntensity::Stale(STALE)));
        assert_eq!(schedule.at(SystemTime::UNIX_EPOCH, STALE), Err(NoIntensity::Before));
        let daily = Intensities::Schedule(Schedule::parse("start,g_per_kwh\n06:00,3\n").unwrap());
        assert_eq!(grams(&daily, "05:59:59"), Ok(3.0));
    }

    #[test]
    fn figures_of_an_endpoint_hold_until_the_next_and_become_stale() {
        let none = Intensities::Polled(Vec::new());
        assert_eq!(grams(&none, "12:00:00"), Err(NoIntensity::NotAnswered));
        let known = none.with_polled(moment("10:00:00"), figure(100.0)).with_polled(moment("15:00:00"), figure(150.0));
        for (time, expected) in [
            ("09:59:59", Err(NoIntensity::NotAnswered)),
            ("10:00:00", Ok(100.0)),
            ("12:00:00", Ok(100.0)),
            ("12:00:01", Err(NoIntensity::Stale(STALE))),
            ("15:00:00", Ok(150.0)),
            ("17:00:00", Ok(150.0)),
            ("17:00:01", Err(NoIntensity::Stale(STALE))),
        ] {
            assert_eq!(grams(&known, time), expected, "{time}");
        }
        let corrected = known.with_polled(moment("15:00:00"), figure(151.0));
        assert_eq!(grams(&corrected, "15:30:00"), Ok(151.0));
        assert_eq!(grams(&corrected, "10:30:00"), Ok(100.0));
    }

    #[test]
    fn a_bounded_number_of_figures_is_remembered() {
        let mut known = Intensities::Polled(Vec::new());
        for minute in 0..REMEMBERED_MAX as u64 + 10 {
            known = known.with_polled(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute), figure(1.0));
        }
        let Intensities::Polled(figures) = known else { panic!("{known:?}") };
        assert_eq!((figures.len(), figures[0].0), (REMEMBERED_MAX, SystemTime::UNIX_EPOCH + Duration::from_secs(600)));
    }
}
