//! Intervals: their three parts, and those of sums.

use std::ops::AddAssign;

use crate::learning::{DEVIATIONS_95, Doubt};
use crate::units::Joules;

/// The parts of the 95 % interval of an energy: half the width of each, in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Uncertainty {
    /// What all calls of the function have in common: how well the cost of its work and the base power are known.
    /// Repeating the call does not average it out.
    pub common: Joules,
    /// What is the call's own: neighbours on its core, the clock, the steps of the counter.
    pub own: Joules,
    /// What the source states about its own error.
    pub source: Joules,
}

impl Uncertainty {
    pub(crate) fn new(doubt: Doubt, source: f64) -> Self {
        let half = |variance: f64| Joules(DEVIATIONS_95 * variance.max(0.0).sqrt());
        Self { common: half(doubt.common), own: half(doubt.own), source: Joules(source) }
    }

    /// What has been added since this sum was `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let own = (self.own.0.powi(2) - earlier.own.0.powi(2)).max(0.0).sqrt();
        Self {
            common: Joules(self.common.0 - earlier.common.0),
            own: Joules(own),
            source: Joules(self.source.0 - earlier.source.0),
        }
    }

    /// Half the width of the whole interval. The parts are independent of each other.
    #[must_use]
    pub fn total(&self) -> Joules {
        Joules(self.common.0.hypot(self.own.0).hypot(self.source.0))
    }
}

/// Adds another call of the same function: what they have in common adds up, what is their own averages out.
impl AddAssign for Uncertainty {
    fn add_assign(&mut self, other: Self) {
        self.common.0 += other.common.0;
        self.own.0 = self.own.0.hypot(other.own.0);
        self.source.0 += other.source.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_have_in_common_adds_up_and_their_own_averages_out() {
        let one = Uncertainty { common: Joules(0.1), own: Joules(1.0), source: Joules(0.2) };
        let mut sum = Uncertainty::default();
        (0..100).for_each(|_| sum += one);
        let Uncertainty { common, own, source } = sum;
        assert!((common.0 - 10.0).abs() < 1e-9 && (own.0 - 10.0).abs() < 1e-9 && (source.0 - 20.0).abs() < 1e-9);
        assert!((sum.total().0 - 600.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn what_was_added_to_a_sum_is_found_again() {
        let added = Uncertainty { common: Joules(0.1), own: Joules(1.0), source: Joules(0.2) };
        let before = Uncertainty { common: Joules(3.0), own: Joules(4.0), source: Joules(5.0) };
        let mut sum = before;
        sum += added;
        let Uncertainty { common, own, source } = sum.since(before);
        for (found, added) in [(common, added.common), (own, added.own), (source, added.source)] {
            assert!((found.0 - added.0).abs() < 1e-9);
        }
        assert_eq!(before.since(before), Uncertainty::default());
    }
}
