//! The CPU clock of a thread without a system call, for as long as the thread keeps its processor.
//!
//! While a thread is not switched out, its CPU time grows as wall time does. So the CPU clock is read once together
//! with the wall clock; until the next switch, CPU time is that value plus the wall time since then. After a switch the
//! CPU clock is read again. Nothing is extrapolated over more than [`STRETCH_MAX`]. That bounds the error from time
//! that only the wall clock sees: interrupts, with `CONFIG_IRQ_TIME_ACCOUNTING`, and time stolen by the hypervisor,
//! with `CONFIG_PARAVIRT_TIME_ACCOUNTING`. Without these options the CPU clock includes both.
//!
//! Source: `update_rq_clock_task` in Linux `kernel/sched/core.c`.

use std::cell::Cell;

/// Nanoseconds after which the CPU clock is read again in any case. A reading takes 0.3 µs.
const STRETCH_MAX: u64 = 1_000_000;

/// The clocks behind it. Times are in nanoseconds.
pub(super) trait Clocks {
    /// Wall time.
    fn wall(&self) -> u64;
    /// CPU time of the calling thread.
    fn thread_cpu(&self) -> u64;
    /// Starts watching for switches. False if that is impossible.
    fn arm(&self) -> bool;
    /// Whether there was no switch since [`Clocks::arm`].
    fn undisturbed(&self) -> bool;
    /// Reports whether the last positive `undisturbed` was right.
    fn judge(&self, right: bool);
}

/// Both clocks at about the same moment, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) wall: u64,
    pub(super) cpu: u64,
}

/// Reads both clocks. `anchor` is the start of the current stretch of the calling thread.
#[inline]
pub(super) fn read(clocks: &impl Clocks, anchor: &Cell<Reading>) -> Reading {
    // The check comes after the reading: a switch between the two is then noticed and costs only a reading.
    let wall = clocks.wall();
    let from = anchor.get();
    let stretch = wall.saturating_sub(from.wall);
    let undisturbed = clocks.undisturbed();
    if undisturbed && stretch < STRETCH_MAX {
        return Reading { wall, cpu: from.cpu + stretch };
    }
    let now = anew(clocks, wall);
    if undisturbed {
        // Interrupts take less than half of the time, and a waiting thread loses more.
        clocks.judge(now.cpu.saturating_sub(from.cpu) >= stretch / 2);
    }
    anchor.set(now);
    now
}

#[cold]
fn anew(clocks: &impl Clocks, wall: u64) -> Reading {
    if !clocks.arm() {
        return Reading { wall, cpu: clocks.thread_cpu() };
    }
    // A switch between these two disarms, so nothing is ever extrapolated from a mismatched pair.
    let cpu = clocks.thread_cpu();
    Reading { wall: clocks.wall(), cpu }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A thread whose every look at a clock may be followed by work, or by a switch.
    #[derive(Default)]
    struct Thread {
        wall: Cell<u64>,
        cpu: Cell<u64>,
        armed: Cell<bool>,
        calls: Cell<u32>,
        blind: bool,
        wrong: Cell<u32>,
    }

    impl Thread {
        fn works(&self, time: u64) {
            self.wall.set(self.wall.get() + time);
            self.cpu.set(self.cpu.get() + time);
        }

        fn waits(&self, time: u64) {
            self.wall.set(self.wall.get() + time);
            self.armed.set(self.armed.get() && self.blind);
        }
    }

    impl Clocks for Thread {
        fn wall(&self) -> u64 {
            self.wall.get()
        }
        fn thread_cpu(&self) -> u64 {
            self.calls.set(self.calls.get() + 1);
            self.cpu.get()
        }
        fn arm(&self) -> bool {
            self.armed.set(true);
            true
        }
        fn undisturbed(&self) -> bool {
            self.armed.get()
        }
        fn judge(&self, right: bool) {
            self.wrong.set(self.wrong.get() + u32::from(!right));
        }
    }

    #[test]
    fn a_thread_that_keeps_its_processor_makes_one_system_call_a_stretch() {
        let (thread, anchor) = (Thread::default(), Cell::default());
        for _ in 0..1000 {
            read(&thread, &anchor);
            thread.works(20_000);
        }
        assert_eq!(thread.calls.get(), 20);
        assert_eq!(thread.wrong.get(), 0);
    }

    #[test]
    fn a_watch_that_misses_waiting_is_found_out() {
        let (thread, anchor) = (Thread { blind: true, ..Thread::default() }, Cell::default());
        for _ in 0..10 {
            read(&thread, &anchor);
            thread.works(20_000);
            thread.waits(5_000_000);
        }
        assert_eq!(thread.wrong.get(), 9);
    }

    proptest! {
        #[test]
        fn it_is_the_cpu_clock_whatever_happens(steps in prop::collection::vec((any::<bool>(), 0_u64..3_000_000), 1..300)) {
            let (thread, anchor) = (Thread::default(), Cell::default());
            for (works, time) in steps {
                if works { thread.works(time) } else { thread.waits(time) }
                let now = read(&thread, &anchor);
                prop_assert_eq!(now, Reading { wall: thread.wall.get(), cpu: thread.cpu.get() });
            }
            prop_assert_eq!(thread.wrong.get(), 0);
        }

        #[test]
        fn time_that_only_the_wall_knows_is_bounded_by_a_stretch(interrupts in prop::collection::vec(0_u64..100_000, 1..300)) {
            let (thread, anchor) = (Thread::default(), Cell::default());
            for unseen in interrupts {
                thread.works(20_000);
                thread.wall.set(thread.wall.get() + unseen);
                let now = read(&thread, &anchor);
                prop_assert!(now.cpu >= thread.cpu.get() && now.cpu < thread.cpu.get() + STRETCH_MAX);
            }
        }
    }
}
