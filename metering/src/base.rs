//! What a zone draws when nothing runs, learned from the windows in which almost nothing did.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{Joules, Microjoules, Watts};

/// A window is quiet when the processors were busy for less than this part of it, all together.
const QUIET_BUSY_MAX: f64 = 0.05;

/// How many quiet windows are remembered: a minute of them at the default window of 100 ms.
const QUIET_WINDOWS_MAX: usize = 600;

/// How many quiet windows it takes before their power is believed.
const QUIET_WINDOWS_MIN: usize = 5;

/// Which of the quiet windows, by power, stands for the base. Low, since whatever ran in them only added to it; not
/// the minimum, since a single window that lost an update of the counter would then decide. A maximum, as one known
/// meter takes, bills idle energy as base that somebody caused.
const QUIET_QUANTILE: f64 = 0.1;

/// The base power of one zone.
#[derive(Debug)]
pub struct Base {
    stated: Option<Watts>,
    quiet: VecDeque<f64>,
    learned: Option<Watts>,
}

impl Base {
    /// A base that has to be learned, unless the source states it.
    #[must_use]
    pub fn new(stated: Option<Watts>) -> Self {
        Self { stated, quiet: VecDeque::new(), learned: None }
    }

    /// The base power; `None` until it is known.
    #[must_use]
    pub fn watts(&self) -> Option<Watts> {
        self.stated.or(self.learned)
    }

    /// Looks at a closed window: what the zone used in `time`, while `cpus` processors were busy for `busy` together,
    /// for which `dynamic` is known to be due.
    pub fn learn(&mut self, energy: Microjoules, time: Duration, busy: Duration, cpus: usize, dynamic: Joules) {
        let Some(watts) = energy.over(time) else { return };
        let watts = Watts((watts.0 - dynamic.0 / time.as_secs_f64()).max(0.0));
        let capacity = time.as_secs_f64() * cpus as f64;
        if self.stated.is_some() || busy.as_secs_f64() > capacity * QUIET_BUSY_MAX {
            return;
        }
        if self.quiet.len() == QUIET_WINDOWS_MAX {
            self.quiet.pop_front();
        }
        self.quiet.push_back(watts.0);
        if self.quiet.len() >= QUIET_WINDOWS_MIN {
            let mut sorted: Vec<f64> = self.quiet.iter().copied().collect();
            let rank = (sorted.len() as f64 * QUIET_QUANTILE) as usize;
            let (_, &mut low, _) = sorted.select_nth_unstable_by(rank, f64::total_cmp);
            self.learned = Some(Watts(low));
        }
    }

    /// The part of a window's energy that is base: never more than the window had, nothing while it is not known. Rounded
    /// up, so that nobody is charged the fraction of a microjoule by which an idle window exceeds whole ones.
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

    #[test]
    fn only_quiet_windows_teach() {
        let mut base = Base::new(None);
        (0..50).for_each(|_| learn(&mut base, 9_000_000, 150));
        assert_eq!(base.watts(), None);
        (0..5).for_each(|_| learn(&mut base, 500_000, 5));
        assert_eq!(base.watts(), Some(Watts(5.0)));
    }

    #[test]
    fn a_low_quantile_is_taken_not_an_extreme() {
        let mut base = Base::new(None);
        (0..100).for_each(|step| learn(&mut base, 500_000 + step * 1_000, 1));
        learn(&mut base, 0, 0);
        let watts = base.watts().map_or(0.0, |watts| watts.0);
        assert!((5.05..5.15).contains(&watts), "{watts}");
    }

    #[test]
    fn old_windows_are_forgotten() {
        let mut base = Base::new(None);
        (0..600).for_each(|_| learn(&mut base, 500_000, 1));
        (0..600).for_each(|_| learn(&mut base, 800_000, 1));
        assert_eq!(base.watts(), Some(Watts(8.0)));
    }

    #[test]
    fn base_never_exceeds_what_was_measured() {
        let base = Base::new(Some(Watts(5.0)));
        assert_eq!(base.part_of(Microjoules(300_000), WINDOW), Microjoules(300_000));
        assert_eq!(base.part_of(Microjoules(700_000), WINDOW), Microjoules(500_001));
        assert_eq!(Base::new(None).part_of(Microjoules(700_000), WINDOW), Microjoules::ZERO);
    }
}
