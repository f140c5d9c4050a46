//! How much work was done: by a thread, by the process, by the whole machine.

pub mod host;
pub mod pmu;
pub mod reader;
pub mod thread;

use std::ops::{Add, AddAssign};
use std::time::Duration;

/// What a stretch of execution took from the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// CPU time.
    pub cpu: Duration,
    /// Hardware events; `None` where the machine has no counters for them.
    pub events: Option<Events>,
}

/// Hardware events of one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Instructions retired.
    pub instructions: u64,
    /// CPU cycles, while not halted.
    pub cycles: u64,
    /// Misses of the last-level cache.
    pub cache_misses: u64,
}

impl Add for Events {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            instructions: self.instructions + other.instructions,
            cycles: self.cycles + other.cycles,
            cache_misses: self.cache_misses + other.cache_misses,
        }
    }
}

impl Events {
    /// What has been counted since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            instructions: self.instructions.saturating_sub(earlier.instructions),
            cycles: self.cycles.saturating_sub(earlier.cycles),
            cache_misses: self.cache_misses.saturating_sub(earlier.cache_misses),
        }
    }
}

impl Work {
    /// What has been done since `earlier`, on the same thread.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let events = self.events.zip(earlier.events).map(|(now, then)| now.since(then));
        Self { cpu: self.cpu.saturating_sub(earlier.cpu), events }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.events = match (self.events, other.events) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        };
    }
}
