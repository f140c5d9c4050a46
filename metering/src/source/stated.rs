//! What a source itself states about the cost of work, where it measures nothing from which that could be learned.
//!
//! A measured zone learns what CPU time, instructions and cache misses cost. A modelled zone knows nothing but what its
//! model was given: the power of a busy thread. Where hardware events are counted, a thread that retires more
//! instructions or misses the cache more often than an ordinary one is taken to cost more.
//!
//! The relative cost of an instruction and a miss is that of a linear model which Kepler fitted to RAPL on two Xeon
//! E5-2667 v3: 6.75 for a cycle, 0.42 for an instruction and 824 for a miss, or 1 : 0.06 : 122. The model of dynamic power
//! has the same proportions. Bircher and John ("Complete System Power Estimation: A Trickle-Down Approach", ISPASS 2007)
//! found 26.45 W for a busy Pentium 4 and 4.31 W more for each micro-operation a cycle, or 1 : 0.16.
//!
//! Source: github.com/sustainable-computing-io/kepler-model-db,
//! `models/v0.6/nx12/std_v0.6/rapl/AbsPower/CounterOnly/LinearRegressionTrainer_1.json` at 5519584c, and `DynPower` at
//! 80096074; there weights are for the highest rate of each event, given as `scale`.

use crate::units::{Joules, Watts};
use crate::work::Work;

/// Cost of an instruction, in cycles.
const INSTRUCTION: f64 = 0.06;

/// Cost of a miss of the last-level cache, in cycles, within the package.
const CACHE_MISS: f64 = 122.0;

/// Instructions and misses of an ordinary thread for each cycle. Its CPU time costs what the source states.
const ORDINARY_INSTRUCTIONS: f64 = 1.0;
const ORDINARY_CACHE_MISSES: f64 = 0.001;

/// How far the cost of CPU time may differ from that of an ordinary thread. Recorded servers drew 0.73 to 1.45 times
/// as much for other kinds of work in the same CPU time.
const RELATIVE: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// What work costs in a zone, as its source states it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stated {
    /// Power of a busy thread at the highest frequency, above its power when idle.
    pub thread: Watts,
    /// Whether the machine counts misses of the last-level cache. Elsewhere the generic event means another cache.
    pub counts_cache_misses: bool,
}

impl Stated {
    /// Expected cost of work at the highest frequency.
    #[must_use]
    pub fn cost(&self, work: &Work) -> Joules {
        Joules(self.thread.0 * work.cpu.as_secs_f64() * self.relative(work))
    }

    /// Cost of this work relative to that of ordinary work with the same CPU time; one without events.
    fn relative(&self, work: &Work) -> f64 {
        let Some(events) = work.all_events().filter(|events| events.cycles > 0) else { return 1.0 };
        let cycles = events.cycles as f64;
        let misses = if self.counts_cache_misses { events.cache_misses as f64 / cycles } else { ORDINARY_CACHE_MISSES };
        let cost = |instructions: f64, misses: f64| 1.0 + INSTRUCTION * instructions + CACHE_MISS * misses;
        let relative =
            cost(events.instructions as f64 / cycles, misses) / cost(ORDINARY_INSTRUCTIONS, ORDINARY_CACHE_MISSES);
        relative.clamp(*RELATIVE.start(), *RELATIVE.end())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::work::Events;

    fn joules(instructions: u64, cache_misses: u64, counts_cache_misses: bool) -> f64 {
        let events = Events { instructions, cycles: 1_000_000, cache_misses, ..Events::default() };
        let work = Work { events: Some(events), ..Work::of_cpu(Duration::from_secs(2)) };
        Stated { thread: Watts(3.0), counts_cache_misses }.cost(&work).0
    }

    #[test]
    fn without_events_the_cost_is_power_times_cpu_time() {
        let stated = Stated { thread: Watts(3.0), counts_cache_misses: true };
        assert_eq!(stated.cost(&Work::of_cpu(Duration::from_millis(500))), Joules(1.5));
        let work = Work { events: Some(Events::default()), ..Work::of_cpu(Duration::from_secs(1)) };
        assert_eq!(stated.cost(&work), Joules(3.0), "no cycles, no ratio");
    }

    #[test]
    fn an_ordinary_thread_costs_what_is_stated() {
        assert!((joules(1_000_000, 1000, true) - 6.0).abs() < 1e-9);
        assert!((joules(1_000_000, 0, false) - 6.0).abs() < 1e-9, "misses that mean nothing");
    }

    #[test]
    fn instructions_and_misses_add_to_it() {
        let (stalled, fast) = (joules(200_000, 1000, true), joules(3_000_000, 1000, true));
        assert!(stalled < 6.0 && fast > 6.0 && fast < 7.0, "{stalled} {fast}");
        assert!((joules(1_000_000, 5000, true) / 6.0 - 1.67 / 1.182).abs() < 1e-9);
        assert!((joules(1_000_000, 5000, false) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn events_change_the_cost_by_no_more_than_a_factor_of_two() {
        assert_eq!(joules(0, 900_000, true), 12.0);
        assert!(joules(0, 0, true) >= 3.0);
    }
}
