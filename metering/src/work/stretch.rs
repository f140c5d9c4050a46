//! The thread's CPU clock without its system call, for as long as the thread keeps its processor.
//!
//! As long as a thread is not switched out, its CPU time grows as wall time does. So the CPU clock is read once, with
//! the wall clock beside it, and until the next switch a later CPU time is the wall time since then on top. Where there
//! was a switch, the CPU clock is read again. No figure is ever extrapolated over more than [`STRETCH_MAX`], which
//! bounds what lies in wall time alone: interrupts, where the kernel keeps their time apart
//! (`CONFIG_IRQ_TIME_ACCOUNTING`), and what the hypervisor gave to others, where it tells
//! (`CONFIG_PARAVIRT_TIME_ACCOUNTING`). Elsewhere both are in the CPU clock as well.
//!
//! Source: `update_rq_clock_task` in Linux `kernel/sched/core.c`.

use std::cell::Cell;

/// Nanoseconds after which the CPU clock is read again although nothing was seen to happen. The reading is 0.3 µs in
/// a thousand.
const STRETCH_MAX: u64 = 1_000_000;

/// What the clock is put together from. Times are in nanoseconds.
pub(super) trait Clocks {
    /// Wall time.
    fn wall(&self) -> u64;
    /// CPU time of the calling thread.
    fn thread_cpu(&self) -> u64;
    /// Starts watching for switches; false where they cannot be watched.
    fn arm(&self) -> bool;
    /// Whether there was no switch since [`Clocks::arm`].
    fn undisturbed(&self) -> bool;
    /// Says whether `undisturbed` was right when it last said yes.
    fn judge(&self, right: bool);
}

/// A reading of both clocks at about the same time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) wall: u64,
    pub(super) cpu: u64,
}

/// Both clocks now. `anchor` is where the stretch began that the calling thread is in.
#[inline]
pub(super) fn read(clocks: &impl Clocks, anchor: &Cell<Reading>) -> Reading {
    // The question comes after the reading: a switch between the two is then seen, and costs no more than a reading.
    let wall = clocks.wall();
    let from = anchor.get();
    let stretch = wall.saturating_sub(from.wall);
    let undisturbed = clocks.undisturbed();
    if undisturbed && stretch < STRETCH_MAX {
        return Reading { wall, cpu: from.cpu + stretch };
    }
    let now = anew(clocks, wall);
    if undisturbed {
        // Half of the time is more than interrupts take, and less than a thread that waits loses.
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
    // A switch between these two disarms, so that nothing is ever extrapolated from a pair that does not belong
    // together.
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
