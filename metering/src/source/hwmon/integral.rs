//! Energy from power: the sum of the readings of a power sensor over time.
//!
//! Power is taken as linear between two readings. The sum is kept in half femtojoules, where it is a whole number, and
//! cut to microjoules only when shown, so no remainder is lost. Time is monotonic: it stops while the machine sleeps.

use std::time::Duration;

use crate::units::Microjoules;

/// 1 µW for 1 ns is 1 fJ. The mean of two readings may end in a half.
const HALF_FEMTOJOULES_PER_MICROJOULE: u128 = 2_000_000_000;

/// The sum up to the last reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Integral {
    half_femtojoules: u128,
    last: Option<(Duration, u64)>,
}

impl Integral {
    /// Takes a reading in microwatts and returns the energy so far. The first reading adds nothing, nor does the first
    /// after an interruption, or one that is not later than the last.
    pub(super) fn add(&mut self, at: Duration, microwatts: u64) -> Microjoules {
        if let Some((before, last)) = self.last {
            let twice_the_mean = u128::from(last) + u128::from(microwatts);
            let energy = twice_the_mean.saturating_mul(at.saturating_sub(before).as_nanos());
            self.half_femtojoules = self.half_femtojoules.saturating_add(energy);
        }
        self.last = Some((at, microwatts));
        let whole = self.half_femtojoules / HALF_FEMTOJOULES_PER_MICROJOULE;
        Microjoules(u64::try_from(whole).unwrap_or(u64::MAX))
    }

    /// Forgets the last reading: the time until the next one is unknown.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn power_between_two_readings_is_their_mean() {
        let mut integral = Integral::default();
        assert_eq!(integral.add(ms(7000), 5_000_000), Microjoules(0), "nothing is known of the time before");
        assert_eq!(integral.add(ms(8000), 5_000_000), Microjoules(5_000_000));
        assert_eq!(integral.add(ms(8500), 7_000_000), Microjoules(8_000_000));
        assert_eq!(integral.add(ms(8500), 900_000_000), Microjoules(8_000_000), "no time has passed");
    }

    #[test]
    fn nothing_is_added_for_a_time_without_readings() {
        let mut integral = Integral::default();
        integral.add(ms(0), 1_000_000);
        integral.add(ms(1000), 1_000_000);
        integral.interrupt();
        assert_eq!(integral.add(ms(9000), 3_000_000), Microjoules(1_000_000));
        assert_eq!(integral.add(ms(10_000), 3_000_000), Microjoules(4_000_000));
    }

    #[test]
    fn remainders_are_kept() {
        let mut integral = Integral::default();
        integral.add(ms(0), 1);
        // A microwatt for 999 ms is no whole microjoule; twice that is one.
        assert_eq!(integral.add(ms(999), 1), Microjoules(0));
        assert_eq!(integral.add(ms(1000), 1), Microjoules(1));
    }

    #[test]
    fn no_reading_is_too_large() {
        let mut integral = Integral::default();
        integral.add(Duration::ZERO, u64::MAX);
        assert_eq!(integral.add(Duration::MAX, u64::MAX), Microjoules(u64::MAX));
        assert_eq!(integral.add(ms(0), u64::MAX), Microjoules(u64::MAX), "time that runs backwards adds nothing");
    }

    proptest! {
        #[test]
        fn how_often_a_constant_power_is_read_changes_nothing(
            microwatts in 0_u64..1_000_000_000,
            steps in prop::collection::vec(0_u64..1_000_000_000, 1..200),
        ) {
            let (mut often, mut once) = (Integral::default(), Integral::default());
            often.add(Duration::ZERO, microwatts);
            once.add(Duration::ZERO, microwatts);
            let (mut at, mut last) = (Duration::ZERO, Microjoules::ZERO);
            for step in steps {
                at += Duration::from_nanos(step);
                let now = often.add(at, microwatts);
                prop_assert!(now >= last);
                last = now;
            }
            prop_assert_eq!(last, once.add(at, microwatts));
        }
    }
}
