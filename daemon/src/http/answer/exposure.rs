//! Which energies a client may see, and how finely.
//!
//! Joules per call give away something of what the call computed: a processor takes more or less energy for the same
//! instructions on other data. A caller who chooses a function's inputs and sees its joules exactly can learn about secrets
//! that it holds. Source: CVE-2020-8694; Lipp et al., "PLATYPUS: Software-based Power Side-Channel Attacks on x86", IEEE
//! S&P 2021.

use nebula_metering::{Joules, Microjoules};

use crate::http::answer::problem::Problem;
use crate::http::settings::{Expose, Resolution};
use crate::invocation::Refused;
use crate::quota::{Limit, QuotaExceeded};

#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    resolution: Resolution,
    /// Whether joules of calls are shown at all.
    calls: bool,
    /// Whether exact totals are shown. Their differences can give away the joules of a single call.
    totals: bool,
}

impl Exposure {
    /// Everything, exactly.
    pub const OPERATORS: Self = Self { resolution: Resolution::Full, calls: true, totals: true };

    /// Totals stay exact, or they would not add up. Where the joules of calls are rounded, totals are for operators only as
    /// soon as those have an address of their own.
    pub fn of_callers(resolution: Resolution, expose: Expose, operators_elsewhere: bool) -> Self {
        let calls = expose == Expose::Callers;
        Self { resolution, calls, totals: calls && (resolution == Resolution::Full || !operators_elsewhere) }
    }

    pub fn shows_joules(&self) -> bool {
        self.calls
    }

    /// Whether joules of calls are rounded, but exact totals give them away.
    pub fn is_undone_by_totals(&self) -> bool {
        self.totals && self.resolution != Resolution::Full
    }

    /// Refuses clients that may not see joules of calls.
    pub(crate) fn check_calls(self) -> Result<(), Problem> {
        if self.calls { Ok(()) } else { Err(Problem::OperatorsOnly) }
    }

    /// Refuses clients that may not see totals.
    pub(crate) fn check_totals(self) -> Result<(), Problem> {
        if self.totals { Ok(()) } else { Err(Problem::OperatorsOnly) }
    }

    /// The nearest multiple of the resolution.
    pub(crate) fn rounded(self, joules: Joules) -> f64 {
        match self.resolution {
            Resolution::Full => joules.to_nanojoule(),
            Resolution::Step(step) => multiple((joules.0 * 1e6 / step.0 as f64).round(), step),
        }
    }

    /// The uncertainty of an energy including what rounding adds: 0 only if the energy is shown exactly.
    pub(crate) fn rounded_up(self, uncertainty: Joules, of: Joules) -> f64 {
        match self.resolution {
            Resolution::Full => (uncertainty.0 * 1e9).ceil() / 1e9,
            Resolution::Step(_) if uncertainty.0 == 0.0 && self.rounded(of) == of.0 => 0.0,
            Resolution::Step(step) => multiple((uncertainty.0 * 1e6 / step.0 as f64 + 0.5).ceil(), step),
        }
    }

    /// The answer to a call that was refused, without joules that the client may not see.
    pub(crate) fn refused(self, mut why: Refused) -> Problem {
        match &mut why {
            Refused::Quota(QuotaExceeded { limit: Limit::JoulesPerHour { used, .. }, .. }) => {
                *used = used.filter(|_| self.calls).map(|used| Joules(self.rounded(used)));
            }
            Refused::Power(over) if !self.totals => over.now = None,
            Refused::Power(_) | Refused::Busy(_) | Refused::Quota(_) => {}
        }
        Problem::Refused(why)
    }
}

/// So many steps in joules. A whole number of microjoules is divided once, so that no digit is noise.
fn multiple(steps: f64, step: Microjoules) -> f64 {
    steps * step.0 as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(step: u64) -> Exposure {
        Exposure::of_callers(Resolution::Step(Microjoules(step)), Expose::Callers, false)
    }

    #[test]
    fn joules_are_rounded_to_the_nearest_step() {
        for (step, joules, shown) in
            [(100, 0.000_349, 0.0003), (100, 0.000_351, 0.0004), (100, 49e-6, 0.0), (1, 1.4e-6, 1e-6), (1000, 7.0, 7.0)]
        {
            assert_eq!(exposure(step).rounded(Joules(joules)), shown);
        }
        assert_eq!(Exposure::OPERATORS.rounded(Joules(0.000_213_456_789_1)), 0.000_213_457);
    }

    #[test]
    fn uncertainty_covers_what_rounding_adds() {
        let exposure = exposure(100);
        for microjoules in (0..2_000).step_by(7) {
            for uncertain in [0.0, 1e-6, 49e-6, 50e-6, 51e-6, 149e-6, 3.3e-3] {
                let exact = Microjoules(microjoules).joules();
                let (shown, uncertainty) = (exposure.rounded(exact), exposure.rounded_up(Joules(uncertain), exact));
                assert!((shown - exact.0).abs() + uncertain <= uncertainty + 1e-12, "{microjoules} ± {uncertain}");
                assert_eq!(uncertainty == 0.0, uncertain == 0.0 && microjoules % 100 == 0);
            }
        }
        assert_eq!(Exposure::OPERATORS.rounded_up(Joules(1.1e-9), Joules(1.0)), 2e-9);
        assert_eq!(Exposure::OPERATORS.rounded_up(Joules(0.0), Joules(1.0)), 0.0);
    }

    #[test]
    fn totals_are_hidden_where_they_would_reveal_single_calls() {
        let coarse = Resolution::Step(Microjoules(100));
        for (resolution, expose, elsewhere, calls, totals) in [
            (Resolution::Full, Expose::Callers, false, true, true),
            (Resolution::Full, Expose::Callers, true, true, true),
            (coarse, Expose::Callers, false, true, true),
            (coarse, Expose::Callers, true, true, false),
            (Resolution::Full, Expose::Operators, true, false, false),
        ] {
            let exposure = Exposure::of_callers(resolution, expose, elsewhere);
            assert_eq!(
                (exposure.check_calls().is_ok(), exposure.check_totals().is_ok()),
                (calls, totals),
                "{exposure:?}"
            );
        }
        assert!(Exposure::OPERATORS.check_totals().is_ok() && !Exposure::OPERATORS.is_undone_by_totals());
    }
}
