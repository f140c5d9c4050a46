//! Measures work: of a thread, of the process, of the whole machine.

pub mod frequency;
pub mod host;
mod moment;
mod no_events;
mod page;
pub mod pmu;
pub mod reader;
mod rseq;
mod stretch;
mod switches;
pub mod thread;
pub mod topology;

use std::ops::{Add, AddAssign};
use std::time::Duration;

pub use moment::{Moment, PACKAGES_MAX};
pub use no_events::NoEvents;

/// Work of a stretch of execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// CPU time.
    pub cpu: Duration,
    /// Hardware events; `None` if the machine does not count them. On a hybrid processor, those of the performance
    /// cores.
    pub events: Option<Events>,
    /// On a hybrid processor, the events of the efficiency cores, whose cycles and instructions cost less.
    pub efficient: Option<Events>,
}

/// Hardware events of one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Instructions retired.
    pub instructions: u64,
    /// CPU cycles, while not halted.
    pub cycles: u64,
    /// Cycles at the nominal frequency, while not halted: a measure of time, unlike `cycles`. Zero if the processor
    /// does not count them.
    pub ref_cycles: u64,
    /// Misses of the last-level cache.
    pub cache_misses: u64,
}

impl Add for Events {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            instructions: self.instructions + other.instructions,
            cycles: self.cycles + other.cycles,
            ref_cycles: self.ref_cycles + other.ref_cycles,
            cache_misses: self.cache_misses + other.cache_misses,
        }
    }
}

impl Events {
    /// Events since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            instructions: self.instructions.saturating_sub(earlier.instructions),
            cycles: self.cycles.saturating_sub(earlier.cycles),
            ref_cycles: self.ref_cycles.saturating_sub(earlier.ref_cycles),
            cache_misses: self.cache_misses.saturating_sub(earlier.cache_misses),
        }
    }
}

impl Work {
    /// CPU time alone, without events.
    #[must_use]
    pub fn of_cpu(cpu: Duration) -> Self {
        Self { cpu, ..Self::default() }
    }

    /// Events of all kinds of cores together; `None` if none are counted.
    #[must_use]
    pub fn all_events(&self) -> Option<Events> {
        match (self.events, self.efficient) {
            (Some(performance), Some(efficient)) => Some(performance + efficient),
            (performance, efficient) => performance.or(efficient),
        }
    }

    /// Divides it into a part with CPU time `cpu` and the rest, with events spread evenly over CPU time.
    #[must_use]
    pub fn divided(self, cpu: Duration) -> (Self, Self) {
        let (cpu, all) = (cpu.min(self.cpu), self.cpu.as_nanos().max(1));
        let share = |count: u64| u64::try_from(u128::from(count) * cpu.as_nanos() / all).unwrap_or(u64::MAX);
        let events = |events: Events| Events {
            instructions: share(events.instructions),
            cycles: share(events.cycles),
            ref_cycles: share(events.ref_cycles),
            cache_misses: share(events.cache_misses),
        };
        let part = Self { cpu, events: self.events.map(events), efficient: self.efficient.map(events) };
        (part, self.since(part))
    }

    /// Work since `earlier`, on the same thread.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let since = |now: Option<Events>, then: Option<Events>| now.zip(then).map(|(now, then)| now.since(then));
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            events: since(self.events, earlier.events),
            efficient: since(self.efficient, earlier.efficient),
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        let sum = |mine: Option<Events>, theirs: Option<Events>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        };
        self.cpu += other.cpu;
        self.events = sum(self.events, other.events);
        self.efficient = sum(self.efficient, other.efficient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both_kinds_of_cores_are_a_calls_own() {
        let events = |instructions| Some(Events { instructions, ..Events::default() });
        let work = |events, efficient| Work { events, efficient, ..Work::default() };
        assert_eq!(work(events(3), events(4)).all_events(), events(7));
        assert_eq!(work(None, events(4)).all_events(), events(4));
        assert_eq!(work(None, None).all_events(), None);
    }

    #[test]
    fn what_is_divided_adds_up() {
        let events = Events { instructions: 1001, cycles: 77, ref_cycles: 3, cache_misses: 1 };
        let work = Work { cpu: Duration::from_micros(10), events: Some(events), efficient: None };
        let (mut part, rest) = work.divided(Duration::from_micros(3));
        assert_eq!((part.cpu, part.events.map(|events| events.instructions)), (Duration::from_micros(3), Some(300)));
        part += rest;
        assert_eq!(part, work);
    }
}
