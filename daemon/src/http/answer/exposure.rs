//! The two doors: what is told to those who come in through each.
//!
//! Joules per call tell something about what the call computed: a processor takes more or less energy for the same
//! instructions on other data. Whoever may call a function with inputs of his own, and sees its joules finely, can find
//! out about secrets that it holds. Source: CVE-2020-8694; Lipp et al., "PLATYPUS: Software-based Power Side-Channel
//! Attacks on x86", IEEE S&P 2021.

use nebula_metering::{Joules, Microjoules};

use crate::http::answer::problem::Problem;
use crate::http::settings::{Expose, Resolution};

/// What those who come in through a door may know.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    resolution: Resolution,
    /// Whether the joules of calls are told at all.
    calls: bool,
    /// Whether the exact totals are, from whose differences those of a single call could be taken.
    totals: bool,
}

impl Door {
    /// The operators' door: all is told.
    pub const OPERATORS: Self = Self { resolution: Resolution::Full, calls: true, totals: true };

    /// The callers' door. Totals are exact, or they would not add up; where calls are not, totals move to the operators'
    /// door as soon as there is one.
    #[must_use]
    pub fn callers(resolution: Resolution, expose: Expose, operators_elsewhere: bool) -> Self {
        let calls = expose == Expose::Callers;
        Self { resolution, calls, totals: calls && (resolution == Resolution::Full || !operators_elsewhere) }
    }

    /// Whether the joules of calls are told.
    #[must_use]
    pub fn tells_joules(&self) -> bool {
        self.calls
    }

    /// Whether totals are told although the joules of calls are rounded.
    #[must_use]
    pub fn tells_more_by_totals(&self) -> bool {
        self.totals && self.resolution != Resolution::Full
    }

    /// Lets those in who may see calls of others.
    pub(crate) fn to_calls(self) -> Result<(), Problem> {
        if self.calls { Ok(()) } else { Err(Problem::OperatorsOnly) }
    }

    /// Lets those in who may see totals.
    pub(crate) fn to_totals(self) -> Result<(), Problem> {
        if self.totals { Ok(()) } else { Err(Problem::OperatorsOnly) }
    }

    /// What is shown of an energy: the nearest multiple of the resolution.
    pub(crate) fn rounded(self, joules: Joules) -> f64 {
        match self.resolution {
            Resolution::Full => joules.to_nanojoule(),
            Resolution::Step(step) => multiple((joules.0 * 1e6 / step.0 as f64).round(), step),
        }
    }

    /// What is shown of the uncertainty of an energy, which rounding adds to: never less than it is, and nothing only
    /// where the energy is exact as it is shown.
    pub(crate) fn rounded_up(self, uncertainty: Joules, of: Joules) -> f64 {
        match self.resolution {
            Resolution::Full => (uncertainty.0 * 1e9).ceil() / 1e9,
            Resolution::Step(_) if uncertainty.0 == 0.0 && self.rounded(of) == of.0 => 0.0,
            Resolution::Step(step) => multiple((uncertainty.0 * 1e6 / step.0 as f64 + 0.5).ceil(), step),
        }
    }
}

/// So many steps in joules: a whole number of microjoules, divided once, so that no digit is noise.
fn multiple(steps: f64, step: Microjoules) -> f64 {
    steps * step.0 as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(step: u64) -> Door {
        Door::callers(Resolution::Step(Microjoules(step)), Expose::Callers, false)
    }

    #[test]
    fn joules_are_rounded_to_the_nearest_step() {
        for (step, joules, shown) in
            [(100, 0.000_349, 0.0003), (100, 0.000_351, 0.0004), (100, 49e-6, 0.0), (1, 1.4e-6, 1e-6), (1000, 7.0, 7.0)]
        {
            assert_eq!(door(step).rounded(Joules(joules)), shown);
        }
        assert_eq!(Door::OPERATORS.rounded(Joules(0.000_213_456_789_1)), 0.000_213_457);
    }

    #[test]
    fn uncertainty_covers_what_rounding_adds() {
        let door = door(100);
        for microjoules in (0..2_000).step_by(7) {
            for uncertain in [0.0, 1e-6, 49e-6, 50e-6, 51e-6, 149e-6, 3.3e-3] {
                let exact = Microjoules(microjoules).joules();
                let (shown, uncertainty) = (door.rounded(exact), door.rounded_up(Joules(uncertain), exact));
                assert!((shown - exact.0).abs() + uncertain <= uncertainty + 1e-12, "{microjoules} ± {uncertain}");
                assert_eq!(uncertainty == 0.0, uncertain == 0.0 && microjoules % 100 == 0);
            }
        }
        assert_eq!(Door::OPERATORS.rounded_up(Joules(1.1e-9), Joules(1.0)), 2e-9);
        assert_eq!(Door::OPERATORS.rounded_up(Joules(0.0), Joules(1.0)), 0.0);
    }

    #[test]
    fn totals_are_where_they_give_nothing_away() {
        let coarse = Resolution::Step(Microjoules(100));
        for (resolution, expose, elsewhere, calls, totals) in [
            (Resolution::Full, Expose::Callers, false, true, true),
            (Resolution::Full, Expose::Callers, true, true, true),
            (coarse, Expose::Callers, false, true, true),
            (coarse, Expose::Callers, true, true, false),
            (Resolution::Full, Expose::Operators, true, false, false),
        ] {
            let door = Door::callers(resolution, expose, elsewhere);
            assert_eq!((door.to_calls().is_ok(), door.to_totals().is_ok()), (calls, totals), "{door:?}");
        }
        assert!(Door::OPERATORS.to_totals().is_ok() && !Door::OPERATORS.tells_more_by_totals());
    }
}
