//! Lists of processors, as sysfs writes them: `0,18` or `0-1,4`.
//!
//! Source: Linux `bitmap_print_to_pagebuf` in `lib/bitmap-str.c`.

use super::attribute::parse_number;

/// Processors that are taken from one list, and one more than the highest number that is believed. `NR_CPUS` is at most
/// 8192 (`arch/x86/Kconfig`; 4096 on ARM).
const CPUS_MAX: u64 = 8192;

/// Parses a list of processors into rising order without repetition. `None` for what is no such list, for an empty one,
/// and for one beyond what any machine has.
#[must_use]
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim_ascii().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_cpu(first)?, parse_cpu(last)?);
        if first > last || cpus.len() as u64 + u64::from(last - first) >= CPUS_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

fn parse_cpu(text: &str) -> Option<u32> {
    let number = parse_number(text).filter(|&number| number < CPUS_MAX)?;
    u32::try_from(number).ok()
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
            ("8192", None),
            ("0-8191,0", None),
        ] {
            assert_eq!(parse_cpu_list(text), cpus, "{text:?}");
        }
        assert_eq!(parse_cpu_list("0-8191").map(|cpus| cpus.len()), Some(8192));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parser(text in "([-,0-9]{0,20}|\\PC{0,9}|\n){0,6}") {
            let cpus = parse_cpu_list(&text);
            prop_assert!(cpus.is_none_or(|cpus| !cpus.is_empty() && cpus.len() as u64 <= CPUS_MAX && cpus.is_sorted()));
        }

        #[test]
        fn every_list_is_parsed_as_the_kernel_prints_it(cpus in prop::collection::btree_set(0..8192_u32, 1..99)) {
            let cpus: Vec<_> = cpus.into_iter().collect();
            let text = cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(parse_cpu_list(&text), Some(cpus));
        }
    }
}
