//! Power of a zone when nothing runs, learned from the quietest stretches.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{Joules, Microjoules, Watts};

/// A stretch is quiet if the processors together were busy for less than this part of it.
const QUIET_BUSY_MAX: f64 = 0.05;

/// A quiet stretch counts if it is quieter than this, or little busier than the quietest.
const IDLE_BUSY: f64 = 0.001;
const QUIETEST_FACTOR: f64 = 1.5;

/// Windows are joined to stretches of this length, so that the age of the last counter update, up to a hundredth of a
/// window of 100 ms, does not decide which is lowest.
const STRETCH: Duration = Duration::from_secs(1);

/// Minimum length of a stretch that ends early: five windows of 100 ms.
const STRETCH_MIN: Duration = Duration::from_millis(490);

/// Quiet stretches that are remembered: ten minutes.
const STRETCHES_MAX: usize = 600;

/// Quantile of the power of the stretches that count. Low, because whatever ran in them only added to it. Not the
/// minimum, which a single lost counter update would decide. Not the maximum, which would charge idle energy to base
/// that somebody caused.
const QUIET_QUANTILE: f64 = 0.1;

/// The base power of one zone.
#[derive(Debug)]
pub struct Base {
    stated: Option<Watts>,
    quiet: VecDeque<Quiet>,
    open: Stretch,
    learned: Option<Watts>,
}

#[derive(Clone, Copy, Debug)]
struct Quiet {
    watts: f64,
    busy: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    time: Duration,
    joules: f64,
    busy: Duration,
}

impl Base {
    /// A base that is learned unless the source states it.
    #[must_use]
    pub fn new(stated: Option<Watts>) -> Self {
        Self { stated, quiet: VecDeque::new(), open: Stretch::default(), learned: None }
    }

    /// The base power; `None` until it is known.
    #[must_use]
    pub fn watts(&self) -> Option<Watts> {
        self.stated.or(self.learned)
    }

    /// Learns from a window in which the zone used `energy`, processors were busy for `busy` together, and `dynamic` is
    /// explained by work.
    pub fn learn(&mut self, energy: Microjoules, time: Duration, busy: Duration, cpus: usize, dynamic: Joules) {
        if self.stated.is_some() || time.is_zero() {
            return;
        }
        let is_quiet = busy.as_secs_f64() <= time.as_secs_f64() * cpus as f64 * QUIET_BUSY_MAX;
        if is_quiet {
            self.open.time += time;
            self.open.joules += (energy.joules().0 - dynamic.0).max(0.0);
            self.open.busy += busy;
        }
        let is_over = if is_quiet { STRETCH } else { STRETCH_MIN };
        if self.open.time >= is_over || (self.learned.is_none() && self.open.time >= STRETCH_MIN) {
            self.close_stretch(cpus);
        } else if !is_quiet {
            self.open = Stretch::default();
        }
    }

    fn close_stretch(&mut self, cpus: usize) {
        let Stretch { time, joules, busy } = std::mem::take(&mut self.open);
        let seconds = time.as_secs_f64();
        if self.quiet.len() == STRETCHES_MAX {
            self.quiet.pop_front();
        }
        self.quiet.push_back(Quiet { watts: joules / seconds, busy: busy.as_secs_f64() / seconds / cpus as f64 });
        let quietest = self.quiet.iter().map(|stretch| stretch.busy).fold(f64::INFINITY, f64::min);
        let most = (quietest * QUIETEST_FACTOR).max(IDLE_BUSY);
        let counts = self.quiet.iter().filter(|stretch| stretch.busy <= most);
        let mut watts: Vec<f64> = counts.map(|stretch| stretch.watts).collect();
        let rank = (watts.len() as f64 * QUIET_QUANTILE) as usize;
        let (_, &mut low, _) = watts.select_nth_unstable_by(rank, f64::total_cmp);
        self.learned = Some(Watts(low));
    }

    /// The base part of the energy of a window: at most all of it, and zero while the base is unknown. Rounded up, so
    /// nobody is charged the fraction of a microjoule by which an idle window exceeds whole ones.
    #[must_use]
    pub fn part_of(&self, energy: Microjoules, time: Duration) -> Microjoules {
        let rounded_up = |watts: Watts| watts.during(time) + Microjoules(1);
        self.watts().map_or(Microjoules::ZERO, |watts| rounded_up(watts).at_most(energy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    fn learn(base: &mut Base, microjoules: u64, busy_ms: u64) {
        base.learn(Microjoules(microjoules), WINDOW, Duration::from_millis(busy_ms), 2, Joules(0.0));
    }

    fn near(base: &Base, expected: f64) {
        let watts = base.watts().map_or(f64::NAN, |watts| watts.0);
        assert!((watts - expected).abs() < 1e-9, "{watts}");
    }

    #[test]
    fn only_quiet_windows_teach() {
        let mut base = Base::new(None);
        (0..50).for_each(|_| learn(&mut base, 9_000_000, 150));
        assert_eq!(base.watts(), None);
        (0..5).for_each(|_| learn(&mut base, 500_000, 5));
        near(&base, 5.0);
    }

    #[test]
    fn a_low_quantile_is_taken_not_an_extreme() {
        let mut base = Base::new(None);
        (0..1000).for_each(|step| learn(&mut base, 500_000 + step / 10 * 1_000, 0));
        (0..10).for_each(|_| learn(&mut base, 0, 0));
        let watts = base.watts().map_or(0.0, |watts| watts.0);
        assert!((5.05..5.15).contains(&watts), "{watts}");
    }

    #[test]
    fn the_quietest_stretches_count() {
        let mut base = Base::new(None);
        (0..100).for_each(|_| learn(&mut base, 400_000, 9));
        (0..20).for_each(|_| learn(&mut base, 500_000, 0));
        near(&base, 5.0);
    }

    #[test]
    fn what_is_known_to_be_due_to_work_is_not_base() {
        let mut base = Base::new(None);
        (0..5).for_each(|_| base.learn(Microjoules(500_000), WINDOW, WINDOW / 50, 2, Joules(0.1)));
        near(&base, 4.0);
    }

    #[test]
    fn old_stretches_are_forgotten() {
        let mut base = Base::new(None);
        (0..6_000).for_each(|_| learn(&mut base, 500_000, 1));
        (0..6_000).for_each(|_| learn(&mut base, 800_000, 1));
        near(&base, 8.0);
    }

    #[test]
    fn base_never_exceeds_what_was_measured() {
        let base = Base::new(Some(Watts(5.0)));
        assert_eq!(base.part_of(Microjoules(300_000), WINDOW), Microjoules(300_000));
        assert_eq!(base.part_of(Microjoules(700_000), WINDOW), Microjoules(500_001));
        assert_eq!(Base::new(None).part_of(Microjoules(700_000), WINDOW), Microjoules::ZERO);
    }
}
