//! What functions may use: each of them, where its manifest does not say, and all of them together.

use nebula_metering::Watts;

use super::quantity::{joules, watts};
use super::{Checker, within};
use crate::meter::OFF;
use crate::quota::{COUNT_MAX, Quota};

/// What functions may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quotas {
    /// Each function, where its manifest does not say.
    pub each: Quota,
    /// All of them together, in active power.
    pub power_max: Option<Watts>,
}

impl Quotas {
    pub(super) fn check(check: &mut Checker<'_>) -> Self {
        let count = |text: &str| within(text, &(1..=COUNT_MAX));
        let quotas = Self {
            each: Quota {
                calls_per_second: check.optional("quota.calls-per-second", count),
                concurrency: check.optional("quota.concurrency", count),
                joules_per_hour: check.optional("quota.joules-per-hour", joules),
            },
            power_max: check.optional("power.max", watts),
        };
        for key in ["quota.joules-per-hour", "power.max"] {
            measured(check, key);
        }
        quotas
    }
}

/// What bounds energy must be told it. A bound that quietly held nothing would be worse than none.
fn measured(check: &mut Checker<'_>, key: &str) {
    let off = check.layers.value("source").is_some_and(|(source, _)| source == OFF);
    if let Some((value, origin)) = check.layers.value(key).filter(|_| off) {
        check.mistakes.push(format!("`{value}` is no good for {origin}: nothing is measured (`source` is `off`)"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use nebula_metering::Joules;

    #[test]
    fn nothing_is_bounded_unless_it_is_said() {
        assert_eq!(check(&[], &[], &[]).unwrap().quotas, Quotas::default());
        let file = [
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
        let expected = Quotas { each, power_max: Some(Watts(40.0)) };
        assert_eq!(check(&[], &[], &file).unwrap().quotas, expected);
    }

    #[test]
    fn limits_that_are_none_are_mistakes() {
        for wrong in [
            ("quota.calls-per-second", "0"),
            ("quota.concurrency", "1000001"),
            ("quota.joules-per-hour", "5"),
            ("power.max", "0W"),
            ("power.max", "40"),
        ] {
            assert!(check(&[wrong], &[], &[]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn where_nothing_is_measured_joules_cannot_be_bounded() {
        let off = ("source", "off");
        let told = check(&[off, ("power.max", "40W")], &[], &[("quota.joules-per-hour", "5J")]).unwrap_err();
        assert_eq!(
            told.0,
            [
                "`5J` is no good for quota.joules-per-hour in the configuration file: nothing is measured (`source` is \
                 `off`)",
                "`40W` is no good for --power-max: nothing is measured (`source` is `off`)",
            ]
        );
        assert!(check(&[off, ("quota.calls-per-second", "5")], &[], &[]).is_ok());
    }
}
