//! Readings of the events of a thread, and the difference of two of them.
//!
//! When more groups want registers than the processor has, the kernel takes turns: a group is *enabled* while its
//! thread runs, and *running* for a part of that. Counts are scaled up to the whole. On a hybrid machine a group is
//! enabled on cores of both kinds but runs only on its own, so what is missing is what neither group ran.

use std::time::Duration;

use crate::work::Events;

/// Raw counts of a group, with enabled and running time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Raw counts.
    pub events: Events,
    /// Time in which the group was enabled while its thread ran.
    pub enabled: Duration,
    /// Time in which it was in registers.
    pub running: Duration,
}

/// The events of a thread at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// On the performance (or only) cores.
    pub performance: Reading,
    /// On the efficiency cores.
    pub efficient: Option<Reading>,
}

impl Snapshot {
    /// Events since `earlier`, scaled up for the time in which nothing was counted: on performance cores, and on
    /// efficiency cores if there are any. `None` if nothing was counted.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> (Option<Events>, Option<Events>) {
        let performance = self.performance.since(&earlier.performance);
        let efficient = self.efficient.zip(earlier.efficient).map(|(now, then)| now.since(&then));
        let enabled = performance.enabled.max(efficient.map_or(Duration::ZERO, |group| group.enabled));
        let running = performance.running + efficient.map_or(Duration::ZERO, |group| group.running);
        if running.is_zero() && !enabled.is_zero() {
            return (None, None);
        }
        let whole = |group: Reading| group.events.scaled(enabled, running);
        (Some(whole(performance)), efficient.map(whole))
    }
}

impl Reading {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            events: self.events.since(earlier.events),
            enabled: self.enabled.saturating_sub(earlier.enabled),
            running: self.running.saturating_sub(earlier.running),
        }
    }
}

impl Events {
    fn scaled(self, enabled: Duration, running: Duration) -> Self {
        if running >= enabled {
            return self;
        }
        let scale = |count: u64| {
            let whole = u128::from(count).saturating_mul(enabled.as_nanos()) / running.as_nanos();
            u64::try_from(whole).unwrap_or(u64::MAX)
        };
        Self {
            instructions: scale(self.instructions),
            cycles: scale(self.cycles),
            ref_cycles: scale(self.ref_cycles),
            cache_misses: scale(self.cache_misses),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(count: u64, enabled: u64, running: u64) -> Reading {
        let events = Events { instructions: count, cycles: count * 2, ref_cycles: count / 2, cache_misses: count / 4 };
        Reading { events, enabled: Duration::from_millis(enabled), running: Duration::from_millis(running) }
    }

    fn one(count: u64, enabled: u64, running: u64) -> Snapshot {
        Snapshot { performance: reading(count, enabled, running), efficient: None }
    }

    fn hybrid(performance: Reading, efficient: Reading) -> Snapshot {
        Snapshot { performance, efficient: Some(efficient) }
    }

    #[test]
    fn shared_registers_are_made_up_for() {
        let (events, efficient) = one(1100, 20, 15).since(&one(100, 10, 10));
        assert_eq!(events, Some(Events { instructions: 2000, cycles: 4000, ref_cycles: 1000, cache_misses: 500 }));
        assert_eq!(efficient, None);
    }

    #[test]
    fn counts_without_times_are_taken_as_they_are() {
        let (events, _) = one(1100, 10, 10).since(&one(100, 10, 10));
        assert_eq!(events.map(|events| events.instructions), Some(1000));
    }

    #[test]
    fn a_group_that_never_got_its_turn_says_nothing() {
        assert_eq!(one(100, 20, 10).since(&one(100, 10, 10)), (None, None));
    }

    #[test]
    fn the_other_kind_of_core_is_not_a_turn_missed() {
        let before = hybrid(reading(0, 0, 0), reading(0, 0, 0));
        let after = hybrid(reading(1000, 40, 30), reading(400, 40, 10));
        let (performance, efficient) = after.since(&before);
        assert_eq!(performance.map(|events| events.instructions), Some(1000));
        assert_eq!(efficient.map(|events| events.instructions), Some(400));
        let crowded = hybrid(reading(1000, 40, 10), reading(400, 40, 10));
        assert_eq!(crowded.since(&before).0.map(|events| events.instructions), Some(2000));
        assert_eq!(crowded.since(&before).1.map(|events| events.instructions), Some(800));
    }

    proptest! {
        #[test]
        fn nothing_is_scaled_down_and_no_count_is_too_large(
            counts: [u64; 4],
            enabled: u64,
            running: u64,
            other: Option<u64>,
        ) {
            let [instructions, cycles, ref_cycles, cache_misses] = counts;
            let events = Events { instructions, cycles, ref_cycles, cache_misses };
            let reading = |running| Reading {
                events,
                enabled: Duration::from_nanos(enabled),
                running: Duration::from_nanos(running),
            };
            let now = Snapshot { performance: reading(running), efficient: other.map(reading) };
            let (performance, efficient) = now.since(&Snapshot { efficient: other.map(|_| Reading::default()), ..Snapshot::default() });
            for events in performance.into_iter().chain(efficient) {
                prop_assert!(events.instructions >= instructions && events.cycles >= cycles);
                prop_assert!(events.ref_cycles >= ref_cycles && events.cache_misses >= cache_misses);
            }
            prop_assert_eq!(performance.is_some() && other.is_some(), efficient.is_some());
        }
    }
}
