//! Reads the work counters of whichever thread asks.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use super::pmu::ThreadCounters;
use super::thread::{ThreadMoment, how};
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
        let _ = how();
        Self { events: false }
    }

    /// Whether hardware events are read.
    #[must_use]
    pub fn has_events(self) -> bool {
        self.events
    }

    /// Begins a slice on the calling thread, which must be the one that ends it.
    #[inline]
    #[must_use]
    pub fn begin(self) -> Beginning {
        // The clock is read innermost on both sides, since what lies between is charged.
        let events = self.events();
        Beginning { events, cpu: ThreadMoment::now().cpu }
    }

    /// Ends a slice.
    #[inline]
    #[must_use]
    pub fn end(self, begun: Beginning) -> Ended {
        let ThreadMoment { monotonic, cpu } = ThreadMoment::now();
        let events = self.events();
        let events = events.zip(begun.events).map(|(now, then)| now.since(then));
        Ended { work: Work { cpu: cpu.saturating_sub(begun.cpu), events, efficient: None }, monotonic }
    }

    #[inline]
    fn events(self) -> Option<Events> {
        if self.events { thread_events() } else { None }
    }
}

/// Where a slice began.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    events: Option<Events>,
    cpu: Duration,
}

/// A slice that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// What it did.
    pub work: Work,
    /// When it ended, on `CLOCK_MONOTONIC`.
    pub monotonic: Duration,
}

fn thread_events() -> Option<Events> {
    COUNTERS.with_borrow_mut(|counters| counters.as_mut().and_then(|counters| counters.read().ok()))
}
