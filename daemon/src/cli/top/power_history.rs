//! Power of the functions over the last minutes, for the chart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nebula_metering::Watts;

use super::account::Account;
use super::rates::LiveRates;

/// Points are means over a second, or over the time between two readings if that is longer.
pub const POINT_OVER: Duration = Duration::from_secs(1);

/// More than a terminal is wide.
const POINTS_MAX: usize = 512;

#[derive(Clone, Debug)]
struct Point {
    at: Instant,
    all: Watts,
    /// Only functions that drew something.
    each: BTreeMap<Arc<str>, f32>,
}

/// Newest last.
#[derive(Clone, Debug, Default)]
pub struct PowerHistory(VecDeque<Point>);

impl PowerHistory {
    /// Adds a point, unless the last one is not over yet.
    pub fn add(&mut self, at: Instant, rates: &LiveRates) {
        // Readings are never quite on time.
        let due = |last: &Point| at.saturating_duration_since(last.at) >= POINT_OVER.mul_f64(0.9);
        if !self.0.back().is_none_or(due) {
            return;
        }
        if self.0.len() == POINTS_MAX {
            self.0.pop_front();
        }
        let drawing = rates.functions.iter().filter(|function| function.watts.0 > 0.0);
        let each = drawing.map(|function| (function.name.clone(), function.watts.0 as f32)).collect();
        self.0.push_back(Point { at, all: rates.power[Account::Functions as usize], each });
    }

    /// The last points, newest first, of one function or of all.
    pub fn latest(&self, count: usize, function: Option<&str>) -> Vec<f64> {
        let watts = |point: &Point| match function {
            Some(name) => point.each.get(name).map_or(0.0, |watts| f64::from(*watts)),
            None => point.all.0,
        };
        self.0.iter().rev().take(count).map(watts).collect()
    }

    pub fn span(&self, count: usize) -> Duration {
        let first = self.0.iter().rev().take(count).next_back();
        let pair = first.zip(self.0.back());
        pair.map_or(Duration::ZERO, |(first, last)| last.at.saturating_duration_since(first.at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{rates, used};
    use super::*;

    #[test]
    fn history_has_a_point_a_second_up_to_a_maximum() {
        let (begin, mut history) = (Instant::now(), PowerHistory::default());
        let one = rates(&[], &[("a", used(1000, 0, 0)), ("b", used(500, 0, 0))]);
        let other = rates(&[], &[("a", used(2000, 0, 0))]);
        history.add(begin, &one);
        history.add(begin + Duration::from_millis(200), &other);
        history.add(begin + Duration::from_millis(990), &other);
        assert_eq!(history.latest(9, None), [2.0, 1.5]);
        assert_eq!(history.latest(9, Some("b")), [0.0, 0.5]);
        assert_eq!(history.latest(1, Some("a")), [2.0]);
        assert_eq!((history.span(9), history.span(1)), (Duration::from_millis(990), Duration::ZERO));
        for second in 2..1000 {
            history.add(begin + Duration::from_secs(second), &one);
        }
        assert_eq!(history.latest(usize::MAX, None).len(), POINTS_MAX);
        assert_eq!(history.span(usize::MAX), Duration::from_secs(511));
    }
}
