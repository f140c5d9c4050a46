//! Parses the files of the PMU's directory: bit fields, configurations, package numbers.
//!
//! Source: Linux `Documentation/ABI/testing/sysfs-bus-event_source-devices-{events,format}`.

use crate::sysfs::attribute::parse_number;

/// The bits of `config` that a term is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    low: u32,
    high: u32,
}

impl BitField {
    /// The value shifted to its place; `None` if it does not fit.
    #[must_use]
    pub fn place(self, value: u64) -> Option<u64> {
        let most = u64::MAX >> (63 - (self.high - self.low));
        (value <= most).then(|| value << self.low)
    }
}

/// Parses a `format` file: `config:0-7`, or `config:3` for one bit. `None` also for fields that the `power` PMU does
/// not have: words other than `config`, and several ranges.
#[must_use]
pub fn parse_format(text: &str) -> Option<BitField> {
    let bits = text.trim_ascii().strip_prefix("config:")?;
    let (low, high) = bits.split_once('-').unwrap_or((bits, bits));
    let (low, high) = (parse_small(low)?, parse_small(high)?);
    (low <= high && high <= 63).then_some(BitField { low, high })
}

/// Parses the file of an event, `event=0x02`, into the value of `event`. `None` if there are more terms.
#[must_use]
pub fn parse_event(text: &str) -> Option<u64> {
    let value = text.trim_ascii().strip_prefix("event=")?;
    let (digits, radix) = value.strip_prefix("0x").map_or((value, 10), |digits| (digits, 16));
    let all_digits = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all_digits.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

/// Parses the number of a package or die. `None` for -1, which means unknown.
#[must_use]
pub fn parse_topology_id(text: &str) -> Option<u32> {
    parse_small(text)
}

fn parse_small(text: &str) -> Option<u32> {
    u32::try_from(parse_number(text)?).ok()
}

/// Parses `perf_event_paranoid`: -1 allows everything.
#[must_use]
pub fn parse_paranoid(text: &str) -> Option<i32> {
    text.trim_ascii().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_goes_where_the_format_says() {
        let place = |format, value| parse_format(format).and_then(|field| field.place(value));
        assert_eq!(place("config:0-7\n", 0x02), Some(0x02));
        assert_eq!(place("config:0-7", 0x100), None, "too large");
        assert_eq!(place("config:8-15", 0x02), Some(0x200));
        assert_eq!(place("config:63", 1), Some(1 << 63));
        assert_eq!(place("config:0-63", u64::MAX), Some(u64::MAX));
        for text in ["", "config1:0-7", "config:", "config:7-0", "config:0-64", "config:0-7,32-35", "config:-1"] {
            assert_eq!(parse_format(text), None, "{text}");
        }
    }

    #[test]
    fn events_are_numbers_in_either_base() {
        for (text, event) in [
            ("event=0x02\n", Some(2)),
            ("event=12", Some(12)),
            ("event=0xffffffffffffffff", Some(u64::MAX)),
            ("event=0x10000000000000000", None),
            ("event=", None),
            ("event=0x", None),
            ("event=+1", None),
            ("event=0x02,umask=0x01", None),
            ("config=0x02", None),
        ] {
            assert_eq!(parse_event(text), event, "{text}");
        }
    }

    #[test]
    fn an_unknown_package_has_no_number() {
        assert_eq!(parse_topology_id("3\n"), Some(3));
        assert_eq!(parse_topology_id("-1\n"), None);
        assert_eq!((parse_paranoid("-1\n"), parse_paranoid("4\n"), parse_paranoid("")), (Some(-1), Some(4), None));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in "(event=|config:|0x|[-+,.0-9a-fe]{0,20}|\\PC{0,9}|\n){0,6}") {
            let _ = (parse_event(&text), parse_topology_id(&text), parse_paranoid(&text));
            let _ = parse_format(&text).and_then(|field| field.place(u64::MAX));
        }
    }
}
