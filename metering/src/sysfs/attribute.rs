//! The small text files of sysfs, one value each.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A sysfs attribute is at most one page. Source: Linux `Documentation/filesystems/sysfs.rst`.
const ATTRIBUTE_BYTES_MAX: u64 = 4096;

/// Reads an attribute whole. What is not UTF-8 in it is replaced.
pub(crate) fn read_attribute(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(ATTRIBUTE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads an optional number. One that is missing, empty, unreadable or answers `ENODATA`, as many a constraint does,
/// is as good as not stated.
pub(crate) fn read_optional_number(path: &Path) -> Option<u64> {
    parse_number(&read_attribute(path).ok()?)
}

/// Parses a number as the kernel prints it: decimal digits and a line feed, no sign, at most 64 bits.
#[must_use]
pub fn parse_number(text: &str) -> Option<u64> {
    let digits = text.trim_ascii();
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_decimal_digits_and_nothing_else() {
        for (text, number) in [
            ("240422366267\n", Some(240_422_366_267)),
            ("0", Some(0)),
            ("18446744073709551615\n", Some(u64::MAX)),
            ("18446744073709551616\n", None),
            ("99999999999999999999999999\n", None),
            ("", None),
            ("\n", None),
            ("+1", None),
            ("-1", None),
            ("0x10", None),
            ("1 2", None),
            ("1.5", None),
            ("n/a", None),
            ("\u{663}", None),
        ] {
            assert_eq!(parse_number(text), number, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_parsed_as_it_was_printed(number in any::<u64>()) {
            prop_assert_eq!(parse_number(&format!("{number}\n")), Some(number));
        }

        #[test]
        fn parsing_never_panics(text in any::<String>(), digits in "[-+0-9 \n]{0,40}") {
            let _ = (parse_number(&text), parse_number(&digits));
        }
    }
}
