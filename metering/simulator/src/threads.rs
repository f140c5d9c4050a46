//! The threads of the machine: workers that run calls, and background threads.

use crate::random::Random;
use crate::task::Task;

/// Longest mean time between two bursts of a background thread, in nanoseconds, and the time after which an idle one
/// checks for work.
const INTERVAL_MAX: u64 = 100_000_000;

/// Mean length of a burst of a background thread, in nanoseconds, unless bursts would be too rare.
const BURST: u64 = 2_000_000;

/// Bursts that could not run in time are made up for, unless they are older than this, in nanoseconds.
const BACKLOG_MAX: u64 = 50_000_000;

#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Runs calls.
    Worker {
        slot: Option<usize>,
        /// Whether it executes the call, rather than what the daemon does before.
        calling: bool,
        /// End of the tick of this slice; `u64::MAX` until it has started.
        slice_due: u64,
    },
    /// Runs a burst every now and then.
    Background {
        /// Start of the next burst.
        next: u64,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Thread {
    pub role: Role,
    /// The account it executes for.
    pub consumer: usize,
    pub task: Task,
    /// Remaining CPU time of the task, in nanoseconds.
    pub left: u64,
    /// Processor on which it last ran.
    pub cpu: usize,
}

impl Thread {
    pub fn worker(consumer: usize, task: Task, cpu: usize) -> Self {
        Self { role: Role::Worker { slot: None, calling: false, slice_due: u64::MAX }, consumer, task, left: 0, cpu }
    }

    /// A background thread that wakes up within the longest interval.
    pub fn background(consumer: usize, task: Task, cpu: usize, random: &mut Random) -> Self {
        Self { role: Role::Background { next: random.below(INTERVAL_MAX) }, consumer, task, left: 0, cpu }
    }

    /// Starts the next burst of a background thread that should use `load` of a processor. Returns the time at which to
    /// ask again, or `None` if there is a burst to execute now.
    pub fn next_burst(&mut self, now: u64, load: f64, random: &mut Random) -> Option<u64> {
        let Role::Background { next } = &mut self.role else { return None };
        if *next > now {
            return Some(*next);
        }
        if load <= 0.0 {
            *next = now + INTERVAL_MAX;
            return Some(*next);
        }
        let mean = (INTERVAL_MAX as f64 * load).min(BURST as f64);
        let burst = (mean * random.exponential().clamp(0.01, 10.0)).max(1.0);
        self.left = burst as u64 + 1;
        // The pause follows from the burst and not from its mean, so the load is met closely.
        let interval = (self.left as f64 / load * random.between(0.5, 1.5)) as u64;
        *next = (*next).max(now.saturating_sub(BACKLOG_MAX)) + interval;
        None
    }
}
