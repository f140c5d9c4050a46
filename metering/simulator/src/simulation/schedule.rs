//! Which thread runs on which processor, and which ones wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::threads::Thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A call arrives in a slot of this generation.
    Arrival { slot: usize, generation: u64 },
    /// A background thread wakes up.
    Wake { thread: usize },
}

/// The threads, their processors, and those that wait for one.
#[derive(Debug)]
pub struct Schedule {
    pub(super) threads: Vec<Thread>,
    pub(super) queue: VecDeque<usize>,
    pub(super) running: Vec<Option<usize>>,
    /// Time of the next event on each processor; `u64::MAX` if idle.
    pub(super) due: Vec<u64>,
    pub(super) quantum_end: Vec<u64>,
    pub(super) timers: BinaryHeap<Reverse<(u64, Timer)>>,
}

impl Schedule {
    pub fn new(threads: Vec<Thread>, cpus: usize) -> Self {
        Self {
            threads,
            queue: VecDeque::new(),
            running: vec![None; cpus],
            due: vec![u64::MAX; cpus],
            quantum_end: vec![0; cpus],
            timers: BinaryHeap::new(),
        }
    }

    pub(super) fn wait(&mut self, until: u64, timer: Timer) {
        self.timers.push(Reverse((until, timer)));
    }
}
