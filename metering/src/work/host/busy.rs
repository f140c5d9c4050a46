//! CPU time of the machine from two clocks: a coarse one for everything and a fine one for this process.
//!
//! Even a precise clock of the machine lags: it learns what a thread used when the thread is switched out or a tick
//! falls, while the clock of the process is always current. `/proc/stat` also counts in ticks of 10 ms and, on most
//! kernels, gives whole ticks to whatever runs when one falls. Taken as they are, the two contradict each other: the
//! process seems to have used more than its machine, by some ticks at every reading and, if it sleeps in step with the
//! tick, by more and more. So the time of the machine is the exact time of the process plus what *others* have used,
//! which only grows.

use std::time::Duration;

/// How far the ticks of the machine may lag behind the clock of the process before the difference counts as lost.
///
/// Noise stays below it: each of five fields is cut to a tick of 10 ms, and each processor may be a tick late, so 64
/// processors make 0.7 s. A larger deficit would hide the work of others for as long as it lasts.
const DEFICIT_MAX: Duration = Duration::from_secs(1);

/// CPU time of the machine, combined from ticks and the clock of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy {
    process: Duration,
    /// CPU time of others since the first reading. Only grows.
    others: Duration,
    /// Machine minus process, in nanoseconds, at which `others` is zero.
    zero: i128,
}

impl Busy {
    /// Starts with a first reading, at which others have used nothing.
    pub(super) fn new(machine: Duration, process: Duration) -> Self {
        Self { process, others: Duration::ZERO, zero: surplus(machine, process) }
    }

    /// Continues with another clock of the machine. The time of others so far is kept.
    pub(super) fn rebase(&mut self, machine: Duration, process: Duration) {
        self.zero = surplus(machine, process) - nanos(self.others);
    }

    /// Takes a reading and returns the time of the machine: never less than `process`, never less than before.
    pub(super) fn advance(&mut self, machine: Duration, process: Duration) -> Duration {
        let surplus = surplus(machine, process);
        let others = surplus - self.zero;
        let known = nanos(self.others);
        if others > known {
            self.others = u64::try_from(others).map_or(Duration::MAX, Duration::from_nanos);
        } else if known - others > nanos(DEFICIT_MAX) {
            self.zero = surplus - known;
        }
        self.process = self.process.max(process);
        self.process.saturating_add(self.others)
    }
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX / 4)
}

fn surplus(machine: Duration, process: Duration) -> i128 {
    nanos(machine) - nanos(process)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn ticks(time: Duration) -> Duration {
        TICK * u32::try_from(time.as_millis() / 10).expect("the test is short")
    }

    #[test]
    fn it_starts_at_the_time_of_the_process() {
        let mut busy = Busy::new(ms(80_000), ms(30));
        assert_eq!(busy.advance(ms(80_000), ms(30)), ms(30));
    }

    #[test]
    fn others_are_added_to_the_process() {
        let mut busy = Busy::new(ms(80_000), ms(30));
        assert_eq!(busy.advance(ms(80_500), ms(130)), ms(530));
        assert_eq!(busy.advance(ms(80_500), ms(131)), ms(531));
    }

    #[test]
    fn ticks_that_run_backwards_take_nothing_back() {
        let mut busy = Busy::new(ms(80_000), ms(0));
        assert_eq!(busy.advance(ms(80_500), ms(0)), ms(500));
        assert_eq!(busy.advance(ms(80_400), ms(0)), ms(500));
        assert_eq!(busy.advance(ms(10), ms(0)), ms(500));
        assert_eq!(busy.advance(ms(60), ms(0)), ms(550));
    }

    #[test]
    fn a_deficit_that_stays_does_not_hide_others_for_ever() {
        let mut busy = Busy::new(ms(0), ms(0));
        // The process used 100 s that no tick ever saw.
        for second in 1..=100 {
            assert_eq!(busy.advance(ms(0), ms(second * 1000)), ms(second * 1000));
        }
        let before = busy.advance(ms(0), ms(100_000));
        let after = busy.advance(ms(5000), ms(100_000));
        assert!(after - before >= ms(5000) - DEFICIT_MAX, "{:?}", after - before);
    }

    #[test]
    fn another_clock_goes_on_where_the_first_stood() {
        let mut busy = Busy::new(ms(80_000), ms(30));
        assert_eq!(busy.advance(ms(80_500), ms(30)), ms(530));
        busy.rebase(ms(1_000_000), ms(30));
        assert_eq!(busy.advance(ms(1_000_000), ms(30)), ms(530));
        assert_eq!(busy.advance(ms(1_000_100), ms(40)), ms(630));
    }

    proptest! {
        #[test]
        fn it_only_grows_and_never_falls_below_the_process(
            readings in prop::collection::vec((0_u64..10_000_000, 0_u64..5_000_000), 1..200),
        ) {
            let mut busy = Busy::new(ms(readings[0].0), Duration::ZERO);
            let (mut last, mut process) = (Duration::ZERO, Duration::ZERO);
            for (machine, step) in readings {
                process += Duration::from_micros(step);
                let now = busy.advance(ms(machine), process);
                prop_assert!(now >= last && now >= process);
                last = now;
            }
        }

        #[test]
        fn a_process_alone_makes_no_others(
            start in 0_u64..1_000_000,
            steps in prop::collection::vec(0_u64..300_000, 1..200),
        ) {
            let mut process = Duration::from_micros(start);
            let mut busy = Busy::new(ticks(process), process);
            for step in steps {
                process += Duration::from_micros(step);
                prop_assert!(busy.advance(ticks(process), process) < process + TICK);
            }
        }

        #[test]
        fn it_follows_the_truth_within_two_ticks(
            steps in prop::collection::vec((0_u64..300_000, 0_u64..300_000), 1..200),
        ) {
            let (mut mine, mut theirs) = (Duration::ZERO, Duration::ZERO);
            let mut busy = Busy::new(Duration::ZERO, Duration::ZERO);
            for (own, other) in steps {
                mine += Duration::from_micros(own);
                theirs += Duration::from_micros(other);
                let now = busy.advance(ticks(mine) + ticks(theirs), mine);
                prop_assert!(now <= mine + theirs);
                prop_assert!(now + 2 * TICK > mine + theirs);
            }
        }

        #[test]
        fn no_reading_is_too_large(machine: u64, process: u64, again: u64) {
            let mut busy = Busy::new(ms(machine), ms(process));
            prop_assert!(busy.advance(ms(again), ms(process)) >= ms(process));
            prop_assert!(busy.advance(Duration::MAX, Duration::MAX) == Duration::MAX);
        }
    }
}
