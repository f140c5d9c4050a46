//! Reads the work counters of whichever thread asks.

use std::cell::RefCell;
use std::io;

use super::pmu::ThreadCounters;
use super::thread::thread_cpu;
use super::{Events, Work};

thread_local! {
    /// Opened at the thread's first reading, closed with the thread. `None` where opening failed.
    static COUNTERS: RefCell<Option<ThreadCounters>> = RefCell::new(ThreadCounters::open().ok());
}

/// Which work counters are read: the thread's CPU clock always, hardware events where the machine has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkReader {
    events: bool,
}

impl WorkReader {
    /// Finds out what this machine can count. The error says why there are no hardware events; the reader works
    /// without them.
    #[must_use]
    pub fn probe() -> (Self, Option<io::Error>) {
        match ThreadCounters::open().and_then(|mut counters| counters.read()) {
            Ok(_) => (Self { events: true }, None),
            Err(error) => (Self::cpu_time_only(), Some(error)),
        }
    }

    /// A reader of the thread's CPU clock alone.
    #[must_use]
    pub fn cpu_time_only() -> Self {
        Self { events: false }
    }

    /// Whether hardware events are read.
    #[must_use]
    pub fn has_events(self) -> bool {
        self.events
    }

    /// All that the calling thread has done so far. Only differences mean anything, and only on one thread.
    #[must_use]
    pub fn now(self) -> Work {
        Work { cpu: thread_cpu(), events: if self.events { thread_events() } else { None }, efficient: None }
    }
}

fn thread_events() -> Option<Events> {
    COUNTERS.with_borrow_mut(|counters| counters.as_mut().and_then(|counters| counters.read().ok()))
}
