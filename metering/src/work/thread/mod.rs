//! CPU time of the calling thread: the one figure of work that every machine has.

use std::cell::Cell;
use std::time::Duration;

use rustix::thread::sched_getcpu;
use rustix::time::{ClockId, clock_gettime};

use super::rseq;
use super::stretch::{self, Clocks, Reading};
use super::switches::{self, Means};

/// CPU time of the calling thread since its start, in user and kernel mode together.
///
/// The kernel keeps it in nanoseconds, independent of the tick. Reading it is a system call, since the vDSO does not
/// have this clock: 0.23 µs on a quiet machine, 0.5 µs in a busy virtual one.
///
/// Source: `clock_gettime(2)`, `CLOCK_THREAD_CPUTIME_ID`.
#[inline]
#[must_use]
pub fn thread_cpu() -> Duration {
    Duration::from_nanos(nanos(ClockId::ThreadCPUTime))
}

/// Wall time and CPU time of a thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadMoment {
    /// The time on `CLOCK_MONOTONIC`.
    pub monotonic: Duration,
    /// CPU time, within a fraction of a microsecond of [`thread_cpu`].
    pub cpu: Duration,
}

impl ThreadMoment {
    /// Reads the clocks of the calling thread: one reading of the vDSO clock and no system call, if [`how`] says so.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        let Reading { wall, cpu } = STRETCH.with(|anchor| stretch::read(&System(switches::best()), anchor));
        Self { monotonic: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu) }
    }
}

/// The processor of the calling thread, as the kernel numbers it; 0 if unknown.
#[inline]
#[must_use]
pub fn processor() -> u32 {
    rseq::cpu().unwrap_or_else(|| u32::try_from(sched_getcpu()).unwrap_or(0))
}

/// One line for people: how CPU time is read on this machine. The first call finds out.
#[must_use]
pub fn how() -> String {
    match switches::best() {
        Means::None => "thread clock".into(),
        means => format!("wall clock between switches ({means}), thread clock after them"),
    }
}

thread_local! {
    /// Start of the current stretch of the thread.
    static STRETCH: Cell<Reading> = const { Cell::new(Reading { wall: 0, cpu: 0 }) };
}

struct System(Means);

impl Clocks for System {
    #[inline]
    fn wall(&self) -> u64 {
        nanos(ClockId::Monotonic)
    }

    fn thread_cpu(&self) -> u64 {
        nanos(ClockId::ThreadCPUTime)
    }

    fn arm(&self) -> bool {
        self.0.arm()
    }

    #[inline]
    fn undisturbed(&self) -> bool {
        self.0.undisturbed()
    }

    fn judge(&self, right: bool) {
        switches::judge(right);
    }
}

#[inline]
fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // The kernel never returns a negative time or a nanosecond field out of range, and 584 years fit.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests;
