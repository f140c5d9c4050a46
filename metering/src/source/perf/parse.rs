//! What the PMU's directory says, parsed: lists of processors, bit fields, configurations, units.
//!
//! Source: Linux `Documentation/ABI/testing/sysfs-bus-event_source-devices-{events,format}`, and for lists
//! `bitmap_print_to_pagebuf` in `lib/bitmap-str.c`.

/// Processors that are taken from one list. A machine has one processor a package in it, or one a die.
const CPUS_MAX: usize = 1024;

/// Highest processor number that is believed. `NR_CPUS` is at most 8192 on x86 (`arch/x86/Kconfig`).
const CPU_MAX: u32 = 65_535;

/// Parses a list of processors such as `0,18` or `0-1,4`, into rising order without repetition. `None` for what is no
/// such list, for an empty one, and for one beyond what any machine has.
#[must_use]
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim_ascii().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_cpu(first)?, parse_cpu(last)?);
        if first > last || cpus.len() + (last - first) as usize >= CPUS_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

fn parse_cpu(text: &str) -> Option<u32> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten().filter(|&cpu| cpu <= CPU_MAX)
}

/// Which bits of an event's `config` a term is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    low: u32,
    high: u32,
}

impl BitField {
    /// The value at its place, or `None` if it is too large for the field.
    #[must_use]
    pub fn place(self, value: u64) -> Option<u64> {
        let most = u64::MAX >> (63 - (self.high - self.low));
        (value <= most).then(|| value << self.low)
    }
}

/// Parses a `format` file: `config:0-7`, or `config:3` for one bit. `None` also for the fields that the `power` PMU does
/// not have: other words than `config`, and several ranges.
#[must_use]
pub fn parse_format(text: &str) -> Option<BitField> {
    let bits = text.trim_ascii().strip_prefix("config:")?;
    let (low, high) = bits.split_once('-').unwrap_or((bits, bits));
    let (low, high) = (parse_cpu(low)?, parse_cpu(high)?);
    (low <= high && high <= 63).then_some(BitField { low, high })
}

/// Parses an event's file, `event=0x02`, into the value of `event`. `None` where there are further terms.
#[must_use]
pub fn parse_event(text: &str) -> Option<u64> {
    let value = text.trim_ascii().strip_prefix("event=")?;
    let (digits, radix) = value.strip_prefix("0x").map_or((value, 10), |digits| (digits, 16));
    let all_digits = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all_digits.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

/// Parses the number of a package or a die. `None` for the `-1` of a kernel that does not know it.
#[must_use]
pub fn parse_topology_id(text: &str) -> Option<u32> {
    parse_cpu(text.trim_ascii())
}

/// Parses `perf_event_paranoid`, from -1 (all is allowed) upwards.
#[must_use]
pub fn parse_paranoid(text: &str) -> Option<i32> {
    text.trim_ascii().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_processors_are_ranges_and_numbers() {
        for (text, cpus) in [
            ("0\n", Some(vec![0])),
            ("0,18\n", Some(vec![0, 18])),
            ("0-1,4", Some(vec![0, 1, 4])),
            ("4,0-2,1", Some(vec![0, 1, 2, 4])),
            ("", None),
            ("\n", None),
            ("0,", None),
            ("1-0", None),
            ("-1", None),
            ("0-", None),
            ("+1", None),
            ("0x1", None),
            ("0-65535", None),
            ("65536", None),
        ] {
            assert_eq!(parse_cpu_list(text), cpus, "{text:?}");
        }
    }

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
            let cpus = parse_cpu_list(&text);
            prop_assert!(cpus.is_none_or(|cpus| !cpus.is_empty() && cpus.len() <= CPUS_MAX && cpus.is_sorted()));
            let _ = (parse_event(&text), parse_topology_id(&text), parse_paranoid(&text));
            let _ = parse_format(&text).and_then(|field| field.place(u64::MAX));
        }

        #[test]
        fn every_list_is_parsed_as_the_kernel_prints_it(cpus in prop::collection::btree_set(0..CPU_MAX, 1..99)) {
            let cpus: Vec<_> = cpus.into_iter().collect();
            let text = cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(parse_cpu_list(&text), Some(cpus));
        }
    }
}
