//! The options that bound what functions use: each of them, unless its manifest says otherwise, and all together.

use nebula_metering::Watts;

use super::{COUNT_MAX, Quota};
use crate::settings::{Checker, Setting, joules, optional, watts, within};

pub const OPTIONS: &[Setting] = &[
    optional(
        "quota.calls-per-second",
        "COUNT",
        "Calls per second of each function whose manifest sets no limit; further ones are answered with 429",
    ),
    optional(
        "quota.concurrency",
        "COUNT",
        "Calls at once, waiting ones included, of each function whose manifest sets no limit; further ones are answered \
         with 429",
    ),
    optional(
        "quota.joules-per-hour",
        "ENERGY",
        "Active energy within any hour of each function whose manifest sets no limit, such as 500J or 0.1kWh; further calls \
         are answered with 429",
    ),
    optional(
        "power.max",
        "POWER",
        "Active power of all functions together, such as 40W. While they draw more, new calls wait (limits.queue, \
         limits.queue-wait), lowest priority first, and are then answered with 503",
    ),
];

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// For each function whose manifest sets no limit.
    pub each: Quota,
    /// Active power of all functions together.
    pub power_max: Option<Watts>,
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let count = |text: &str| within(text, &(1..=COUNT_MAX));
        Self {
            each: Quota {
                calls_per_second: check.optional("quota.calls-per-second", count),
                concurrency: check.optional("quota.concurrency", count),
                joules_per_hour: check.optional("quota.joules-per-hour", joules),
            },
            power_max: check.optional("power.max", watts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::checked;
    use nebula_metering::Joules;

    #[test]
    fn nothing_is_bounded_by_default() {
        assert_eq!(checked(OPTIONS, &[], Settings::check), Ok(Settings::default()));
        let flags = [
            ("quota.calls-per-second", "1"),
            ("quota.concurrency", "1000000"),
            ("quota.joules-per-hour", "0.5kWh"),
            ("power.max", "40W"),
        ];
        let each = Quota {
            calls_per_second: Some(1),
            concurrency: Some(1_000_000),
            joules_per_hour: Some(Joules(1_800_000.0)),
        };
        let expected = Settings { each, power_max: Some(Watts(40.0)) };
        assert_eq!(checked(OPTIONS, &flags, Settings::check), Ok(expected));
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
            assert!(checked(OPTIONS, &[wrong], Settings::check).is_err(), "{wrong:?}");
        }
    }
}
