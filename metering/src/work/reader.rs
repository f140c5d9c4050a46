//! Reads the work counters of the calling thread.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::Work;
use super::pmu::{CoreKinds, Snapshot, ThreadCounters};
use super::switches;
use super::thread::{ThreadMoment, how};

thread_local! {
    /// Opened at the first reading of the thread, closed with the thread.
    static COUNTERS: RefCell<Counters> = const { RefCell::new(Counters::Unopened) };
}

enum Counters {
    Unopened,
    Open(ThreadCounters),
    Refused,
}

/// Reads the CPU time of a thread, and hardware events if the machine has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkReader {
    events: Option<EventReader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EventReader {
    kinds: CoreKinds,
    rdpmc: bool,
    ref_cycles: bool,
}

impl WorkReader {
    /// Finds out what this machine can count, with its kinds of cores read below `sysfs_root`. The error is why there
    /// are no hardware events ([`NoEvents`](super::NoEvents) makes one word of it); the reader works without them.
    #[must_use]
    pub fn probe(sysfs_root: &Path) -> (Self, Option<io::Error>) {
        let cpu_time_only = Self::cpu_time_only();
        let kinds = CoreKinds::read(sysfs_root);
        let probed = ThreadCounters::open(kinds).and_then(|mut counters| {
            counters.read()?;
            Ok(EventReader { kinds, rdpmc: counters.is_rdpmc(), ref_cycles: counters.has_ref_cycles() })
        });
        match probed {
            Ok(events) => (Self { events: Some(events) }, None),
            Err(error) => (cpu_time_only, Some(error)),
        }
    }

    /// A reader of CPU time alone.
    #[must_use]
    pub fn cpu_time_only() -> Self {
        // Finds out how to read it before the first call has to.
        let _ = switches::best();
        Self { events: None }
    }

    /// Whether hardware events are read.
    #[must_use]
    pub fn has_events(self) -> bool {
        self.events.is_some()
    }

    /// One line for people: what is read, and how.
    #[must_use]
    pub fn describe(self) -> String {
        let cpu = format!("CPU time by {}", how());
        let Some(EventReader { kinds, rdpmc, ref_cycles }) = self.events else { return cpu };
        let events = if ref_cycles {
            "instructions, cycles, reference cycles and cache misses"
        } else {
            "instructions, cycles and cache misses"
        };
        let cores = if kinds == CoreKinds::One { "" } else { " of both kinds of cores" };
        let means = if rdpmc { "rdpmc" } else { "group read" };
        format!("{events}{cores} by {means}; {cpu}")
    }

    /// Begins a slice on the calling thread. The same thread must end it.
    #[inline]
    #[must_use]
    pub fn begin(self) -> Beginning {
        // The clock is read innermost on both sides, because what lies between is charged.
        let events = self.events.and_then(snapshot);
        Beginning { events, cpu: ThreadMoment::now().cpu }
    }

    /// Ends a slice.
    #[inline]
    #[must_use]
    pub fn end(self, begun: Beginning) -> Ended {
        let ThreadMoment { monotonic, cpu } = ThreadMoment::now();
        let mut work = Work::of_cpu(cpu.saturating_sub(begun.cpu));
        if let Some((now, then)) = self.events.and_then(snapshot).zip(begun.events) {
            (work.events, work.efficient) = now.since(&then);
        }
        Ended { work, monotonic }
    }
}

/// The start of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    events: Option<Snapshot>,
    cpu: Duration,
}

/// The result of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Work of the slice.
    pub work: Work,
    /// When it ended, on `CLOCK_MONOTONIC`.
    pub monotonic: Duration,
}

/// The events of the calling thread; `None` if it has no counters, or is ending.
fn snapshot(reader: EventReader) -> Option<Snapshot> {
    let read = |counters: &RefCell<Counters>| {
        let mut counters = counters.borrow_mut();
        if let Counters::Unopened = *counters {
            *counters = ThreadCounters::open(reader.kinds).map_or(Counters::Refused, Counters::Open);
        }
        let Counters::Open(counters) = &mut *counters else { return None };
        counters.read().ok()
    };
    COUNTERS.try_with(read).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_what_the_reader_reads() {
        let (probed, error) = WorkReader::probe(Path::new("/sys"));
        assert_eq!(probed.has_events(), error.is_none());
        for reader in [probed, WorkReader::cpu_time_only()] {
            let begun = reader.begin();
            std::hint::black_box((0..100_000_u64).fold(0, |sum, step| std::hint::black_box(sum + step)));
            let Ended { work, .. } = reader.end(begun);
            assert!(work.cpu > Duration::from_micros(10), "{work:?}");
            assert_eq!(work.events.is_some(), reader.has_events());
            assert!(work.events.is_none_or(|events| events.instructions > 100_000), "{work:?}");
        }
    }

    #[test]
    fn it_says_by_which_means_it_reads() {
        let cpu_time = WorkReader::cpu_time_only().describe();
        assert_eq!(cpu_time, format!("CPU time by {}", how()));
        let kinds = CoreKinds::Hybrid { performance: 4, efficient: 10 };
        let hybrid = WorkReader { events: Some(EventReader { kinds, rdpmc: true, ref_cycles: false }) };
        let events = "instructions, cycles and cache misses of both kinds of cores by rdpmc";
        assert_eq!(hybrid.describe(), format!("{events}; {cpu_time}"));
    }
}
