//! The CPU time of the calling thread: the one figure of work that every machine has.

use std::time::Duration;

use rustix::thread::sched_getcpu;
use rustix::time::{ClockId, clock_gettime};

/// CPU time that the calling thread has used since it began, in user and kernel mode together.
///
/// The kernel keeps it in nanoseconds, apart from the tick; reading it is a system call, since the vDSO has no part in
/// this clock: 0.23 µs on a quiet machine, 0.5 µs in a busy virtual one.
///
/// Source: `clock_gettime(2)`, `CLOCK_THREAD_CPUTIME_ID`.
#[inline]
#[must_use]
pub fn thread_cpu() -> Duration {
    // The kernel never gives a negative time or a nanosecond field out of range, which is all that can fail here.
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The time on `CLOCK_MONOTONIC`, and the processor that this thread is on. Neither is a system call where the vDSO
/// knows them.
#[inline]
#[must_use]
pub fn here_and_now() -> (Duration, u32) {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
    (now, u32::try_from(sched_getcpu()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin_until(done: impl Fn() -> bool) {
        while !done() {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn work_makes_it_grow() {
        let before = thread_cpu();
        spin_until(|| thread_cpu() > before);
    }

    #[test]
    fn what_another_thread_does_is_not_in_it() {
        let before = thread_cpu();
        let theirs = std::thread::spawn(|| {
            spin_until(|| thread_cpu() >= Duration::from_millis(50));
            thread_cpu()
        });
        let theirs = theirs.join().expect("the thread does not panic");
        assert!(thread_cpu() - before < theirs);
    }
}
