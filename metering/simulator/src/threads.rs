//! The threads of the machine: workers that run calls, and what runs in the background.

use crate::machine::Task;
use crate::random::Random;

/// Longest mean time between two bursts of a background thread, in nanoseconds; also how soon one that had nothing
/// to do notices that it has.
const INTERVAL_MAX: u64 = 100_000_000;

/// Mean length of a burst of a background thread, in nanoseconds, unless so many would be too rare.
const BURST: u64 = 2_000_000;

/// Bursts that could not run in their time are made up for, but not if they are older than this many nanoseconds.
const BACKLOG_MAX: u64 = 50_000_000;

/// What a thread is for.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Runs calls.
    Worker {
        /// The call's slot, if it has one.
        slot: Option<usize>,
        /// Whether it executes the call, and not yet what the daemon does before.
        calling: bool,
        /// When the slice has lasted a tick; `u64::MAX` until it has begun.
        slice_due: u64,
    },
    /// Runs for a while every now and then.
    Background {
        /// When the next burst should begin.
        next: u64,
    },
}

/// A thread, and what it is executing.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// What it is for.
    pub role: Role,
    /// On whose account it executes.
    pub party: usize,
    /// What it executes.
    pub task: Task,
    /// How much CPU time that takes yet, in nanoseconds.
    pub left: u64,
    /// Where it last ran.
    pub cpu: usize,
}

impl Thread {
    /// A worker without a call.
    pub fn worker(party: usize, task: Task, cpu: usize) -> Self {
        Self { role: Role::Worker { slot: None, calling: false, slice_due: u64::MAX }, party, task, left: 0, cpu }
    }

    /// A background thread that is to wake up some time within the longest interval.
    pub fn background(party: usize, task: Task, cpu: usize, random: &mut Random) -> Self {
        Self { role: Role::Background { next: random.below(INTERVAL_MAX) }, party, task, left: 0, cpu }
    }

    /// A background thread has time: `load` is the part of a processor it is to use. Gives the time at which to ask
    /// again, or nothing when there is a burst to be executed now.
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
        // The pause follows from the burst and not from its mean, so that the load is met closely.
        let interval = (self.left as f64 / load * random.between(0.5, 1.5)) as u64;
        *next = (*next).max(now.saturating_sub(BACKLOG_MAX)) + interval;
        None
    }
}
