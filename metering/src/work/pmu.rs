//! Instructions, cycles and cache misses of one thread, where the machine counts them.
//!
//! The counters of a thread form one perf group, so that they cover exactly the same stretch of execution. They are
//! opened once, left running, and subtracted: switching them on and off costs 1.9 µs, a read 0.4 to 1.4. When more
//! groups want the processor's few registers than there are, the kernel takes turns; `time_running` below
//! `time_enabled` shows it, and what was counted is scaled up to the whole.
//!
//! Source: `perf_event_open(2)`.

use std::io;
use std::time::Duration;

use perf_event::events::{Event, Hardware};
use perf_event::{Builder, Counter, Group};

use super::Events;

/// The running counters of the thread that opened them.
pub struct ThreadCounters {
    group: Group,
    instructions: Counter,
    cycles: Counter,
    cache_misses: Counter,
    last: Reading,
    counted: Events,
}

/// What the kernel shows of a group: raw counts, and for how long they were wanted and taken.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    events: Events,
    enabled: Duration,
    running: Duration,
}

impl ThreadCounters {
    /// Opens counters for the calling thread.
    ///
    /// # Errors
    /// The kernel's: `ENOENT` where the processor or the hypervisor offers none, `EACCES` where
    /// `/proc/sys/kernel/perf_event_paranoid` forbids them.
    pub fn open() -> io::Result<Self> {
        Self::open_events(Hardware::INSTRUCTIONS, Hardware::CPU_CYCLES, Hardware::CACHE_MISSES)
    }

    fn open_events(instructions: impl Event, cycles: impl Event, cache_misses: impl Event) -> io::Result<Self> {
        let mut group = Group::new()?;
        let instructions = group.add(&Builder::new(instructions))?;
        let cycles = group.add(&Builder::new(cycles))?;
        let cache_misses = group.add(&Builder::new(cache_misses))?;
        group.enable()?;
        let counted = Events::default();
        Ok(Self { group, instructions, cycles, cache_misses, last: Reading::default(), counted })
    }

    /// All that this thread has done since its counters were opened. Never falls.
    ///
    /// # Errors
    /// The kernel's, and `InvalidData` where an event is missing from what it shows.
    pub fn read(&mut self) -> io::Result<Events> {
        let data = self.group.read()?;
        let value = |counter| data.get(counter).map(|entry| entry.value()).ok_or(io::ErrorKind::InvalidData);
        let events = Events {
            instructions: value(&self.instructions)?,
            cycles: value(&self.cycles)?,
            cache_misses: value(&self.cache_misses)?,
            ..Events::default()
        };
        let enabled = data.time_enabled().unwrap_or_default();
        let running = data.time_running().unwrap_or_default();
        let reading = Reading { events, enabled, running };
        self.counted = self.counted + scaled(&self.last, &reading);
        self.last = reading;
        Ok(self.counted)
    }
}

/// What happened between two readings, scaled up for the time in which the group was not on the processor.
fn scaled(from: &Reading, to: &Reading) -> Events {
    let events = to.events.since(from.events);
    let enabled = to.enabled.saturating_sub(from.enabled);
    let running = to.running.saturating_sub(from.running);
    if running >= enabled || running.is_zero() {
        return events;
    }
    let scale = |count: u64| {
        let whole = u128::from(count) * enabled.as_nanos() / running.as_nanos();
        u64::try_from(whole).unwrap_or(u64::MAX)
    };
    Events {
        instructions: scale(events.instructions),
        cycles: scale(events.cycles),
        cache_misses: scale(events.cache_misses),
        ref_cycles: scale(events.ref_cycles),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf_event::events::Software;
    use std::io::Write;

    #[test]
    fn a_group_counts_what_its_thread_does() {
        // Software events exist on every machine, and are read in the same way as those of the processor.
        let opened =
            ThreadCounters::open_events(Software::TASK_CLOCK, Software::CONTEXT_SWITCHES, Software::PAGE_FAULTS);
        let mut counters = match opened {
            Ok(counters) => counters,
            Err(error) => {
                // Not `println!`, which is shown for failing tests alone.
                let _ = writeln!(io::stderr(), "SKIPPED: perf events are not allowed here: {error}");
                return;
            }
        };
        let before = counters.read().unwrap();
        // More than glibc ever takes from memory that was freed before (`DEFAULT_MMAP_THRESHOLD_MAX`, 32 MiB), so that
        // its pages are new whatever other tests have freed.
        let touched: Vec<u8> = vec![1; 40 << 20];
        std::hint::black_box(&touched);
        let done = counters.read().unwrap().since(before);
        assert!(done.instructions > 10_000, "40 MiB were written in {} ns", done.instructions);
        assert!(done.cache_misses > 0, "40 MiB were written without a page fault");
    }

    #[test]
    fn shared_registers_are_made_up_for() {
        let reading = |count, enabled, running| Reading {
            events: Events { instructions: count, cycles: count * 2, ..Events::default() },
            enabled: Duration::from_millis(enabled),
            running: Duration::from_millis(running),
        };
        let whole = scaled(&reading(100, 10, 10), &reading(1100, 20, 15));
        assert_eq!(whole, Events { instructions: 2000, cycles: 4000, ..Events::default() });
        let never_ran = scaled(&reading(100, 10, 10), &reading(100, 20, 10));
        assert_eq!(never_ran, Events::default());
    }
}
