//! The value of one count of an energy event, exactly.
//!
//! The kernel states it as a decimal: `2.3283064365386962890625e-10` is exactly 2^-32. A double holds that power of
//! two, but no count above 2^53, which 100 W reach in six hours. So the decimal becomes a fraction of integers in
//! lowest terms (2^-32 J is 15625 µJ per 2^26 counts), and every count is converted afresh and rounded down once.

use crate::units::Microjoules;

/// Maximum number of digits of a scale. The kernel writes 23.
const DIGITS_MAX: usize = 30;

/// Largest exponent, positive or negative. 10^38 is the largest power of ten in 128 bits.
const EXPONENT_MAX: i32 = 38;

/// Microjoules per count, as a fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// At most 64 bits, so its product with any count fits into 128.
    numerator: u64,
    denominator: u128,
}

impl Scale {
    /// The energy of this many counts, rounded down to whole microjoules. Saturates.
    #[must_use]
    pub fn energy(self, count: u64) -> Microjoules {
        let energy = u128::from(count) * u128::from(self.numerator) / self.denominator;
        Microjoules(u64::try_from(energy).unwrap_or(u64::MAX))
    }
}

/// Parses a `.scale` file, in joules per count. `None` unless it is a positive decimal that a fraction of 64 by 128
/// bits represents exactly.
#[must_use]
pub fn parse_scale(text: &str) -> Option<Scale> {
    let text = text.trim_ascii();
    let (decimal, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits || whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    // From joules to microjoules is a factor of 10^6. Each decimal place takes one power back.
    let exponent = exponent.checked_add(6)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if exponent.abs() > EXPONENT_MAX {
        return None;
    }
    let power = 10_u128.pow(exponent.unsigned_abs());
    let (numerator, denominator) = if exponent < 0 { (digits, power) } else { (digits.checked_mul(power)?, 1) };
    let divisor = greatest_common_divisor(numerator, denominator);
    let numerator = u64::try_from(numerator / divisor).ok().filter(|&numerator| numerator > 0)?;
    Some(Scale { numerator, denominator: denominator / divisor })
}

fn greatest_common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KERNELS: &str = "2.3283064365386962890625e-10\n";

    #[test]
    fn the_kernels_scale_is_two_to_the_minus_32_joules() {
        let scale = parse_scale(KERNELS).expect("a scale");
        assert_eq!(scale, Scale { numerator: 15_625, denominator: 1 << 26 });
        assert_eq!(scale.energy(1 << 32), Microjoules(1_000_000));
        assert_eq!(scale.energy((1 << 32) - 1), Microjoules(999_999));
        assert_eq!(scale.energy(4294), Microjoules(0));
        assert_eq!(scale.energy(4295), Microjoules(1));
    }

    #[test]
    fn a_counter_of_gigajoules_is_exact_to_the_microjoule() {
        let scale = parse_scale(KERNELS).expect("a scale");
        // 4 GJ and a microjoule: a double between counts this large has steps of 2048 counts.
        let count = (4_000_000_000_u64 << 32) + 4295;
        assert_eq!(scale.energy(count), Microjoules(4_000_000_000_000_001));
        assert_eq!(scale.energy(count - 1), Microjoules(4_000_000_000_000_000));
        assert_eq!(scale.energy(u64::MAX), Microjoules(4_294_967_295_999_999));
    }

    #[test]
    fn other_decimals_are_scales_too() {
        let energy = |text, count| parse_scale(text).map(|scale| scale.energy(count).0);
        assert_eq!(energy("1e-6", 7), Some(7));
        assert_eq!(energy("0.001", 7), Some(7000));
        assert_eq!(energy("1", 7), Some(7_000_000));
        assert_eq!(energy("1.5E-7", 7), Some(1));
        assert_eq!(energy("1e+3", u64::MAX), Some(u64::MAX), "beyond the range");
    }

    #[test]
    fn what_is_no_positive_decimal_is_no_scale() {
        let refused =
            ["", "\n", "0", "0.0e3", "-1", "+1", "nan", "inf", ".5", "1e", "1e-", "1e99", "1e-99", "1,5", "0x1"];
        for text in refused {
            assert_eq!(parse_scale(text), None, "{text}");
        }
        assert_eq!(parse_scale(&"1".repeat(31)), None, "too many digits");
        assert_eq!(parse_scale("1.0000000000000000000000001"), None, "no fraction of 64 bits");
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parser(text in "\\PC{0,9}|[-+.e0-9]{0,50}", count: u64) {
            let _ = parse_scale(&text).map(|scale| scale.energy(count));
        }

        #[test]
        fn energy_is_rounded_down_and_never_falls(count in 0..u64::MAX) {
            let scale = parse_scale(KERNELS).expect("a scale");
            let energy = u128::from(scale.energy(count).0);
            let exact_in_2_26ths = u128::from(count) * 15_625;
            prop_assert!(energy << 26 <= exact_in_2_26ths && exact_in_2_26ths < (energy + 1) << 26);
            prop_assert!(scale.energy(count + 1) >= scale.energy(count));
        }
    }
}
