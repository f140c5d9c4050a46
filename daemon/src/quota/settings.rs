//! The options that bound what functions use: each of them, unless its manifest says otherwise, and all together.

use nebula_metering::{Joules, Watts};

use super::{COUNT_MAX, Quota};
use crate::settings::{joules, number_in, options, watts};

options! {
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    pub struct Settings {
        /// Calls per second of each function whose manifest sets no limit; further ones are answered with 429
        calls_per_second: Option<u32> => "quota.calls-per-second", COUNT, number_in(1..=COUNT_MAX);
        /// Calls at once, waiting ones included, of each function whose manifest sets no limit; further ones are answered
        /// with 429
        concurrency: Option<u32> => "quota.concurrency", COUNT, number_in(1..=COUNT_MAX);
        /// Active energy within any hour of each function whose manifest sets no limit, such as 500J or 0.1kWh; further
        /// calls are answered with 429
        joules_per_hour: Option<Joules> => "quota.joules-per-hour", ENERGY, joules;
        /// Active power of all functions together, such as 40W. While they draw more, new calls wait (limits.queue,
        /// limits.queue-wait), lowest priority first, and are then answered with 503
        power_max: Option<Watts> => "power.max", POWER, watts;
    }
}

impl Settings {
    /// The quota of each function whose manifest sets none.
    pub fn each(&self) -> Quota {
        let Self { calls_per_second, concurrency, joules_per_hour, .. } = *self;
        Quota { calls_per_second, concurrency, joules_per_hour }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::checked;

    #[test]
    fn nothing_is_bounded_by_default() {
        assert_eq!(checked(Settings::options(), &[], Settings::read), Ok(Settings::default()));
        let flags = [
            ("quota.calls-per-second", "1"),
            ("quota.concurrency", "1000000"),
            ("quota.joules-per-hour", "0.5kWh"),
            ("power.max", "40W"),
        ];
        let expected = Settings {
            calls_per_second: Some(1),
            concurrency: Some(1_000_000),
            joules_per_hour: Some(Joules(1_800_000.0)),
            power_max: Some(Watts(40.0)),
        };
        assert_eq!(checked(Settings::options(), &flags, Settings::read), Ok(expected));
    }

    #[test]
    fn limits_that_bound_nothing_are_mistakes() {
        for wrong in [
            ("quota.calls-per-second", "0"),
            ("quota.concurrency", "1000001"),
            ("quota.joules-per-hour", "5"),
            ("power.max", "0W"),
            ("power.max", "40"),
        ] {
            assert!(checked(Settings::options(), &[wrong], Settings::read).is_err(), "{wrong:?}");
        }
    }
}
