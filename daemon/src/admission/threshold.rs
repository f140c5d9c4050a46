//! Which priorities wait, decided window by window from the power of functions.

use std::collections::VecDeque;
use std::time::Duration;

use nebula_metering::{Microjoules, Watts};

use crate::quota::Priority;

/// Power is the mean of this time, because single windows scatter.
const MEAN: Duration = Duration::from_secs(1);

/// Time to watch the effect of a step before the next. That is three windows of 100 ms, so that a single outlier changes
/// nothing.
const STEP: Duration = Duration::from_millis(300);

/// Below this part of the cap, waiting calls are admitted again. Without the gap, a load that draws just the cap would change
/// the level with every window.
const FALLS_BELOW: f64 = 0.9;

/// Energy drawn above the cap must be saved below it before calls are admitted again, up to what this time at the cap amounts
/// to. Otherwise bursts would exceed the cap on average.
const EXCESS_MAX: Duration = Duration::from_secs(5);

/// The level at which all calls wait.
pub const ALL_WAIT: u8 = Priority::ALL.len() as u8;

/// Calls of priorities below the level wait.
#[derive(Debug)]
pub struct Threshold {
    max: Watts,
    level: u8,
    /// When energy was read, and the sum so far; the latest last, the oldest one [`MEAN`] ago.
    readings: VecDeque<(Duration, Microjoules)>,
    /// The first reading after the last step.
    since: Option<Duration>,
    /// Energy drawn above the cap and not saved since.
    excess: Microjoules,
}

impl Threshold {
    pub fn new(max: Watts) -> Self {
        Self { max, level: 0, readings: VecDeque::new(), since: None, excess: Microjoules::ZERO }
    }

    /// How many priorities wait.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The power of the last second, once known.
    pub fn watts(&self) -> Option<Watts> {
        self.mean(Duration::ZERO).map(|(watts, _)| watts)
    }

    /// Call it after each window with the energy that functions have used since the start.
    ///
    /// A window is settled when the next one closes. So the reading after a step still contains a window from before it, and
    /// the effect of the step counts from there.
    pub fn observe(&mut self, now: Duration, used: Microjoules) {
        if let Some((at, before)) = self.readings.back() {
            let allowed = self.max.during(now.saturating_sub(*at));
            let excess = (self.excess.0 + used.0.saturating_sub(before.0)).saturating_sub(allowed.0);
            self.excess = Microjoules(excess).at_most(self.max.during(EXCESS_MAX));
        }
        self.readings.push_back((now, used));
        while self.readings.get(1).is_some_and(|(at, _)| *at + MEAN <= now) {
            self.readings.pop_front();
        }
        let since = *self.since.get_or_insert(now);
        let Some((watts, time)) = self.mean(since) else { return };
        if time < STEP {
            return;
        }
        let level = if watts > self.max {
            (self.level + 1).min(ALL_WAIT)
        } else if watts.0 < FALLS_BELOW * self.max.0 && self.excess == Microjoules::ZERO {
            self.level.saturating_sub(1)
        } else {
            self.level
        };
        if level != self.level {
            self.level = level;
            self.since = None;
        }
    }

    /// The mean power from `since`, or from the oldest reading, to the latest one, and over how long.
    fn mean(&self, since: Duration) -> Option<(Watts, Duration)> {
        let (from, before) = self.readings.iter().find(|(at, _)| *at >= since)?;
        let (to, used) = self.readings.back()?;
        let time = to.saturating_sub(*from);
        Some((Microjoules(used.0.saturating_sub(before.0)).over(time)?, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    /// A threshold of 40 W, and windows at some power.
    struct Windows {
        threshold: Threshold,
        now: Duration,
        used: Microjoules,
    }

    impl Windows {
        fn new() -> Self {
            let mut windows =
                Self { threshold: Threshold::new(Watts(40.0)), now: Duration::ZERO, used: Microjoules::ZERO };
            windows.threshold.observe(windows.now, windows.used);
            windows
        }

        fn at(&mut self, count: usize, watts: f64) -> Vec<u8> {
            let mut window = || {
                self.now += WINDOW;
                self.used += Watts(watts).during(WINDOW);
                self.threshold.observe(self.now, self.used);
                self.threshold.level()
            };
            (0..count).map(|_| window()).collect()
        }
    }

    #[test]
    fn the_level_rises_one_priority_at_a_time() {
        let mut windows = Windows::new();
        assert_eq!(windows.at(12, 41.0), [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
        assert_eq!(windows.at(20, 41.0), [3; 20], "no higher than all priorities");
        assert_eq!(windows.at(5, 36.0)[4], 3, "and stays between 90 % of the cap and the cap");
    }

    #[test]
    fn the_level_falls_one_priority_at_a_time_below_nine_tenths_of_the_cap() {
        let mut windows = Windows::new();
        windows.at(12, 50.0);
        let levels = windows.at(40, 35.9);
        assert!(levels.windows(2).all(|pair| pair[0] - pair[1] <= 1), "{levels:?}");
        let steps: Vec<_> = levels.chunk_by(|a, b| a == b).map(|step| (step[0], step.len())).collect();
        assert!(matches!(steps[..], [(3, _), (2, 4), (1, 4), (0, _)]), "{levels:?}");
        assert_eq!(windows.at(20, 0.0), [0; 20]);
    }

    #[test]
    fn a_load_far_above_the_cap_draws_no_more_than_the_cap_on_average() {
        for load in [50.0, 100.0, 400.0] {
            let mut windows = Windows::new();
            for _ in 0..2000 {
                // The load runs whenever the lowest priority is admitted.
                let watts = if windows.threshold.level() == 0 { load } else { 0.0 };
                windows.at(1, watts);
            }
            let mean = windows.used.over(windows.now).unwrap();
            assert!((20.0..=41.0).contains(&mean.0), "{load} W: {mean}");
        }
    }

    #[test]
    fn drawing_the_cap_or_nine_tenths_of_it_changes_nothing() {
        let mut windows = Windows::new();
        assert_eq!(windows.at(30, 40.0), [0; 30]);
        windows.at(3, 100.0);
        let level = windows.threshold.level();
        assert!(level > 0);
        windows.at(20, 36.0);
        let resting = windows.threshold.level();
        assert_eq!(windows.at(50, 36.0), [resting; 50], "it falls below 90 %, not at it");
    }

    #[test]
    fn only_the_lowest_priority_waits_if_that_is_enough() {
        let mut windows = Windows::new();
        assert_eq!(windows.at(3, 60.0)[2], 1);
        assert_eq!(windows.at(1, 60.0), [1], "this window is from before the step");
        assert_eq!(windows.at(50, 38.0), [1; 50]);
    }

    #[test]
    fn power_is_the_mean_of_the_last_second() {
        let mut windows = Windows::new();
        assert!(windows.threshold.watts().is_none());
        windows.at(5, 10.0);
        assert_eq!(windows.threshold.watts(), Some(Watts(10.0)));
        windows.at(5, 30.0);
        assert_eq!(windows.threshold.watts(), Some(Watts(20.0)));
        windows.at(10, 30.0);
        assert_eq!(windows.threshold.watts(), Some(Watts(30.0)));
        assert!(windows.threshold.readings.len() <= 12);
    }

    #[test]
    fn windows_longer_than_the_mean_count_one_by_one() {
        let mut threshold = Threshold::new(Watts(40.0));
        let levels: Vec<_> = (0..6_u64)
            .map(|minute| {
                threshold.observe(Duration::from_secs(minute * 60), Microjoules(minute * 60 * 41_000_000));
                threshold.level()
            })
            .collect();
        assert_eq!(levels, [0, 1, 1, 2, 2, 3]);
    }
}
