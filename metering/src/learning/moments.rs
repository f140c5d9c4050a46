//! How much the conditions of a call may differ from those of its windows.
//!
//! A window shows what part of all work ran beside a busy thread, and the mean frequency. A call of a millisecond ran
//! beside something or not, at the frequency of that millisecond. The longer it lasted, the more of this evens out.

use super::ablation::{Part, without};
use super::conditions::Conditions;

/// 95 % of a normal distribution lie within this many standard deviations.
pub const DEVIATIONS_95: f64 = 1.96;

/// How long a neighbour that is not a call stays, in seconds: a time slice if others wait, longer if not.
///
/// Source: Linux `kernel/sched/fair.c`, `sysctl_sched_base_slice`: 0.75 ms, times four on eight processors and more.
const NEIGHBOUR_SECONDS: f64 = 0.005;

/// Error of the part of work beside others, since only the sum of their CPU time is known.
const BESIDE_DOUBT: f64 = 0.1;

/// How long the number of busy cores stays the same, roughly.
const CLOCK_SECONDS: f64 = 0.01;

/// Standard deviations of the conditions of a call from those of its windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Of the frequency, relative to the highest.
    pub frequency: f64,
    /// Of the part beside a busy thread.
    pub beside: f64,
}

impl Moments {
    /// For a settled call of `cpu` seconds: which calls ran beside it is known, and others come and go.
    /// `fall` is that of the frequency from one busy core to all, relative to the highest.
    pub fn of_settled(windows: &Conditions, fall: f64, cpu: f64) -> Self {
        let others = windows.beside_others;
        let neighbours = 1.0 + cpu / (2.0 * NEIGHBOUR_SECONDS * (1.0 - others).max(0.01));
        // Threads share cores only if no core is idle, and then the frequency does not change.
        let unsteady = (1.0 - windows.beside).max(0.0).sqrt() * windows.restlessness;
        Self {
            frequency: fall * unsteady / (1.0 + cpu / CLOCK_SECONDS).sqrt(),
            beside: (1.0 - windows.beside_calls()) * beside(others, neighbours),
        }
    }

    /// For a call that has just ended, only earlier `windows` are known. What was a little `before` them may recur. A
    /// neighbouring call may have stayed as long as the call itself.
    pub fn of_ended(windows: &Conditions, before: &Conditions, fall: f64, cpu: f64) -> Self {
        let known = Self::of_settled(before, fall, cpu);
        let calls = (1.0 - before.beside_others) * beside(before.beside_calls(), 1.0);
        Self {
            frequency: known.frequency.hypot(before.frequency - windows.frequency),
            beside: known.beside.hypot(calls).hypot(before.beside - windows.beside),
        }
    }
}

/// Deviation of the part of a call beside others from `mean`, that of all calls, if it saw this many neighbours come
/// and go: as wide as needed for [`DEVIATIONS_95`] to cover 95 of 100 calls.
///
/// A single neighbour is there or not, and few make a skewed distribution. The deviation is widened by the first term
/// of the expansion of Cornish and Fisher, "Moments and cumulants in the specification of distributions", Revue de
/// l'Institut international de statistique 5 (1938). What happens to less than 5 of 100 calls is ignored.
fn beside(mean: f64, neighbours: f64) -> f64 {
    let (rare, often) = (mean.min(1.0 - mean).max(0.0), mean.max(1.0 - mean).min(1.0));
    let deviation = (rare * often / neighbours).sqrt();
    if rare < 0.05 || without(Part::Skewness) {
        return deviation;
    }
    let skewness = (often - rare) / (rare * often * neighbours).sqrt();
    let widened = 1.0 + (DEVIATIONS_95.powi(2) - 1.0) / 6.0 * skewness / DEVIATIONS_95;
    (deviation * widened).min((often + BESIDE_DOUBT) / DEVIATIONS_95)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_neighbour_is_there_or_is_not_and_both_are_held() {
        for mean in [0.1_f64, 0.3, 0.5, 0.7, 0.9] {
            let half = DEVIATIONS_95 * beside(mean, 1.0);
            let furthest = mean.max(1.0 - mean);
            assert!((furthest..furthest + 0.15).contains(&half), "{mean}: {half}");
        }
        assert!(DEVIATIONS_95 * beside(0.02, 1.0) < 0.5, "what is as rare as that lies outside");
        assert_eq!((beside(0.0, 1.0), beside(1.0, 1.0)), (0.0, 0.0));
    }

    #[test]
    fn many_neighbours_even_out() {
        let deviation = beside(0.3, 1000.0);
        assert!((deviation / (0.21_f64 / 1000.0).sqrt() - 1.0).abs() < 0.01, "{deviation}");
        let windows = Conditions { beside: 0.3, beside_others: 0.3, restlessness: 0.2, ..Conditions::default() };
        let [short, long] = [0.001, 10.0].map(|cpu| Moments::of_settled(&windows, 0.1, cpu));
        assert!(long.beside < short.beside / 10.0 && long.frequency < short.frequency / 10.0, "{short:?} {long:?}");
        let full = Conditions { beside: 1.0, beside_others: 1.0, ..windows };
        assert_eq!(Moments::of_settled(&full, 0.1, 0.001), Moments { frequency: 0.0, beside: 0.0 });
    }

    #[test]
    fn calls_beside_calls_are_known_once_they_are_settled() {
        let windows = Conditions { beside: 0.4, ..Conditions::default() };
        assert_eq!(Moments::of_settled(&windows, 0.1, 1.0).beside, 0.0);
        assert!(Moments::of_ended(&windows, &windows, 0.1, 1.0).beside > 0.3);
    }

    #[test]
    fn conditions_that_have_changed_may_change_again() {
        let now = Conditions::default();
        let before = Conditions { beside: 0.5, beside_others: 0.5, frequency: 0.8, ..now };
        let [steady, changed] = [now, before].map(|before| Moments::of_ended(&now, &before, 0.1, 10.0));
        assert_eq!(steady, Moments { frequency: 0.0, beside: 0.0 });
        assert!(changed.beside > 0.5 && changed.frequency > 0.19, "{changed:?}");
    }
}
