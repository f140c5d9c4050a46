//! How power rises with load.
//!
//! Power is concave in load: the first busy threads wake the package, the last ones share cores with others and slow
//! all of them down. A straight line between rest and full load is 16 to 23 % of the rise too low at 40 to 60 % load.
//! [`RISE`] is the median of recorded servers instead, joined by straight lines.
//!
//! A window is taken as steady. Its energy follows from its length and the CPU time in it, in whole numbers, so no
//! rounding adds up. Two windows that lie on one of the straight lines cost as much together as one window with the CPU
//! time of both. If they do not, the curve gives the two less than the one, because it is concave. So a long window
//! over a changing load is charged too much: by at most 18 % of the rise at full load, if rest and full load are read as
//! one window.
//!
//! The curve bends only where a whole number of threads is busy: between two of them the machine is a mixture of both
//! in time. A machine with one thread therefore has a straight line, as has a guest, whose host runs others beside it:
//! there the cost of one more busy thread is that of the middle of the curve, and the straight line's slope is that of
//! the recordings between 20 and 80 % load (0.97 times).

use std::time::Duration;

/// The rise of power at full load, in the unit of shares.
pub const WHOLE: u128 = 1_000_000;

/// Part of the rise from rest to full load at 0, 10, …, 100 % load: the median of eleven recordings (measured by Benjamin
/// Davy, CC0, `tests/fixtures/turbostress`) with `stress-ng --cpu-method all`. The median at 30 %, 439, is raised to
/// the chord of its neighbours, as the curve is concave.
pub const RISE: [u128; 11] =
    [0, 206_000, 327_000, 446_000, 564_000, 670_000, 771_000, 845_000, 911_000, 975_000, WHOLE];

/// Power above rest by load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Shares of the rise at equal steps of load.
    knots: Vec<u128>,
}

impl Curve {
    /// A straight line from rest to full load.
    #[must_use]
    pub fn straight() -> Self {
        Self { knots: vec![0, WHOLE] }
    }

    /// A curve through the shares `rise` at tenths of full load, for a machine with this many threads.
    #[must_use]
    pub fn through(rise: &[u128; 11], threads: u32) -> Self {
        let tenths = rise.len() - 1;
        let steps = usize::try_from(threads).unwrap_or(usize::MAX).clamp(1, tenths);
        let knot = |step: usize| {
            let (below, beyond) = (step * tenths / steps, step * tenths % steps);
            let slope = rise.get(below + 1).map_or(0, |next| next.saturating_sub(rise[below]));
            rise[below] + slope * beyond as u128 / steps as u128
        };
        Self { knots: (0..=steps).map(knot).collect() }
    }

    /// Time of one thread at full load that raises the energy of a window as much as `busy`, the CPU time of `threads`
    /// threads in a window of length `elapsed`; in nanoseconds, in parts of [`WHOLE`].
    ///
    /// CPU time beyond what the threads can use, which late ticks bring, goes on with the last slope.
    #[must_use]
    pub fn full_time(&self, threads: u32, elapsed: Duration, busy: Duration) -> u128 {
        let steps = self.knots.len() - 1;
        let capacity = u128::from(threads).saturating_mul(elapsed.as_nanos());
        let scaled = busy.as_nanos().saturating_mul(steps as u128);
        let step = scaled.checked_div(capacity).and_then(|step| usize::try_from(step).ok()).unwrap_or(steps);
        let step = step.min(steps - 1);
        let slope = self.knots[step + 1].saturating_sub(self.knots[step]);
        let beyond = scaled.saturating_sub(capacity.saturating_mul(step as u128));
        capacity.saturating_mul(self.knots[step]).saturating_add(beyond.saturating_mul(slope))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(ms: u32) -> Duration {
        Duration::from_millis(u64::from(ms))
    }

    /// The share of the rise at a load in per cent.
    fn at(curve: &Curve, threads: u32, load: u32) -> f64 {
        let time = curve.full_time(threads, SECOND, SECOND * threads * load / 100);
        time as f64 / (WHOLE * u128::from(threads) * SECOND.as_nanos()) as f64
    }

    #[test]
    fn the_curve_is_concave_and_ends_at_full_load() {
        let slopes: Vec<u128> = RISE.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(slopes.is_sorted_by(|one, other| one >= other), "{slopes:?}");
        assert_eq!((RISE[0], RISE[10]), (0, WHOLE));
    }

    #[test]
    fn it_goes_through_what_was_recorded() {
        let curve = Curve::through(&RISE, 96);
        for (tenth, share) in RISE.iter().enumerate() {
            assert!((at(&curve, 96, tenth as u32 * 10) - *share as f64 / 1e6).abs() < 1e-9, "{tenth}");
        }
        assert!((at(&curve, 96, 5) - 0.103).abs() < 1e-9, "below the lowest step a straight line");
    }

    #[test]
    fn a_small_machine_bends_only_at_whole_threads() {
        assert_eq!(Curve::through(&RISE, 1), Curve::straight());
        let two = Curve::through(&RISE, 2);
        assert!((at(&two, 2, 50) - 0.67).abs() < 1e-9);
        assert!((at(&two, 2, 25) - 0.335).abs() < 1e-9, "half the time one thread");
        assert!((at(&Curve::through(&RISE, 4), 4, 25) - 0.3865).abs() < 1e-9);
    }

    #[test]
    fn work_in_no_time_costs_the_least_and_no_processors_cost_nothing_more() {
        let curve = Curve::through(&RISE, 96);
        assert_eq!(curve.full_time(96, Duration::ZERO, SECOND), 10 * 25_000 * SECOND.as_nanos());
        assert_eq!(Curve::straight().full_time(0, SECOND, SECOND), WHOLE * SECOND.as_nanos());
        assert_eq!(curve.full_time(96, SECOND, Duration::ZERO), 0);
    }

    proptest! {
        #[test]
        fn windows_of_equal_load_cost_what_one_long_window_costs(
            threads in 1_u32..200,
            load in 0_u32..100,
            windows in prop::collection::vec(1_u32..5000, 1..50),
        ) {
            let curve = Curve::through(&RISE, threads);
            let whole: u32 = windows.iter().sum();
            let time = |elapsed: u32| curve.full_time(threads, ms(elapsed), ms(elapsed) * threads / 100 * load);
            prop_assert_eq!(windows.iter().map(|&window| time(window)).sum::<u128>(), time(whole));
        }

        #[test]
        fn cutting_a_window_never_adds_energy_and_takes_less_than_a_fifth_of_the_rise(
            threads in 1_u32..200,
            windows in prop::collection::vec((1_u32..5000, 0_u32..=100), 1..50),
        ) {
            let curve = Curve::through(&RISE, threads);
            let busy = |(elapsed, load): (u32, u32)| ms(elapsed) * threads * load / 100;
            let cut: u128 = windows.iter().map(|&window| curve.full_time(threads, ms(window.0), busy(window))).sum();
            let elapsed = ms(windows.iter().map(|window| window.0).sum());
            let whole = curve.full_time(threads, elapsed, windows.iter().map(|&window| busy(window)).sum());
            prop_assert!(cut <= whole);
            prop_assert!(whole - cut <= WHOLE * u128::from(threads) * elapsed.as_nanos() * 18 / 100);
        }

        #[test]
        fn windows_on_one_straight_line_cost_what_one_long_window_costs(
            threads in 10_u32..200,
            tenth in 0_u32..10,
            windows in prop::collection::vec((1_u32..5000, 0_u32..=100), 1..50),
        ) {
            let curve = Curve::through(&RISE, threads);
            let busy = |(ms, part): (u32, u32)| Duration::from_micros(u64::from(ms * threads)) * (tenth * 100 + part);
            let cut: u128 =
                windows.iter().map(|&window| curve.full_time(threads, ms(window.0), busy(window))).sum();
            let elapsed = ms(windows.iter().map(|window| window.0).sum());
            prop_assert_eq!(cut, curve.full_time(threads, elapsed, windows.iter().map(|&window| busy(window)).sum()));
        }

        #[test]
        fn more_work_never_costs_less(threads: u32, elapsed: u64, busy: u64, more: u64) {
            let curve = Curve::through(&RISE, threads);
            let time = |ns: u64| curve.full_time(threads, Duration::from_nanos(elapsed), Duration::from_nanos(ns));
            prop_assert!(time(busy) <= time(busy.saturating_add(more)));
        }

        #[test]
        fn no_time_is_too_long(threads: u32, elapsed: u64, busy: u64) {
            let (elapsed, busy) = (Duration::from_secs(elapsed), Duration::from_secs(busy));
            let _ = Curve::through(&RISE, threads).full_time(threads, elapsed, busy);
        }
    }
}
