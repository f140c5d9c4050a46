//! Computes n! exactly, to the last of its digits, in a number that grows as it must.

use std::fmt::Write;
use std::process::ExitCode;

/// The largest n: its factorial has 77,338 digits, and the work grows with the square of n.
const N_MAX: u32 = 20_000;

/// A limb holds nine decimal digits, so that printing needs no division of the whole number,
/// and a limb times n plus a carry stays within a u64.
const LIMB: u64 = 1_000_000_000;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let n = call::whole("a whole number", &input, 0..=N_MAX)?;
        Ok(decimal(&factorial(n)))
    }))
}

/// The limbs of n!, the least first.
fn factorial(n: u32) -> Vec<u64> {
    let mut limbs = vec![1];
    for factor in 2..=u64::from(n) {
        let mut carry = 0;
        for limb in &mut limbs {
            let product = *limb * factor + carry;
            *limb = product % LIMB;
            carry = product / LIMB;
        }
        // A carry is below the factor and so below a limb: one more is always enough.
        if carry > 0 {
            limbs.push(carry);
        }
    }
    limbs
}

/// The first limb is printed as it is, each further one with its leading zeros.
fn decimal(limbs: &[u64]) -> String {
    let mut text = String::with_capacity(limbs.len() * 9);
    for (place, limb) in limbs.iter().rev().enumerate() {
        let width = if place == 0 { 1 } else { 9 };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{limb:0width$}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(n: u32) -> String {
        decimal(&factorial(n))
    }

    #[test]
    fn small_factorials_match_machine_arithmetic() {
        let mut expected: u128 = 1;
        for n in 0..=34 {
            expected *= u128::from(n.max(1));
            assert_eq!(printed(n), expected.to_string(), "{n}");
        }
    }

    #[test]
    fn goes_on_beyond_128_bits() {
        assert_eq!(printed(35), "10333147966386144929666651337523200000000");
        assert_eq!(printed(50), "30414093201713378043612608166064768844377641568960512000000000000");
    }

    /// Legendre: the zeros at the end of n! are the factors of five in it.
    #[test]
    fn the_largest_has_all_its_digits_and_zeros() {
        let text = printed(N_MAX);
        assert_eq!(text.len(), 77_338);
        let zeros = text.len() - text.trim_end_matches('0').len();
        assert_eq!(zeros, 4_000 + 800 + 160 + 32 + 6 + 1);
    }
}
