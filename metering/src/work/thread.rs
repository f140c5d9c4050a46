//! The CPU time of the calling thread: the one figure of work that every machine has.

use std::cell::Cell;
use std::time::Duration;

use rustix::thread::sched_getcpu;
use rustix::time::{ClockId, clock_gettime};

use super::rseq;
use super::stretch::{self, Clocks, Reading};
use super::switches::{self, Means};

/// CPU time that the calling thread has used since it began, in user and kernel mode together.
///
/// The kernel keeps it in nanoseconds, apart from the tick; reading it is a system call, since the vDSO has no part in
/// this clock: 0.23 µs on a quiet machine, 0.5 µs in a busy virtual one.
///
/// Source: `clock_gettime(2)`, `CLOCK_THREAD_CPUTIME_ID`.
#[inline]
#[must_use]
pub fn thread_cpu() -> Duration {
    Duration::from_nanos(nanos(ClockId::ThreadCPUTime))
}

/// A point in the life of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadMoment {
    /// The time on `CLOCK_MONOTONIC`.
    pub monotonic: Duration,
    /// What [`thread_cpu`] says, but for a fraction of a microsecond.
    pub cpu: Duration,
}

impl ThreadMoment {
    /// Now, on the calling thread. One reading of the vDSO's clock, and no system call, where [`how`] says so.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        let Reading { wall, cpu } = STRETCH.with(|anchor| stretch::read(&System(switches::best()), anchor));
        Self { monotonic: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu) }
    }
}

/// The processor that the calling thread is on, as the kernel numbers it; the first one where that is not known.
#[inline]
#[must_use]
pub fn processor() -> u32 {
    rseq::cpu().unwrap_or_else(|| u32::try_from(sched_getcpu()).unwrap_or(0))
}

/// How CPU time is read on this machine, for people. The first call finds out.
#[must_use]
pub fn how() -> String {
    match switches::best() {
        Means::None => "thread clock".into(),
        means => format!("wall clock between switches ({means}), thread clock after them"),
    }
}

thread_local! {
    /// Where the stretch began that this thread is in.
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
    // The kernel never gives a negative time or a nanosecond field out of range, and 584 years fit.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests;
