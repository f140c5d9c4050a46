//! Raises e to a power by the Taylor series: `1` gives `2.718281828459045`. A power too large
//! for a double is refused; one too small for it gives zero.

use std::f64::consts::LOG2_E;
use std::process::ExitCode;

/// ln 2 in two parts. The first ends in zero bits, so that its product with any power of two's
/// exponent is exact and the reduction below loses nothing.
/// Source: fdlibm, `e_exp.c`.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Terms of the series: with |r| ≤ ln 2 / 2 the next one is below 2⁻⁶⁰.
const TERMS: u8 = 15;

/// The largest power either way: well beyond 709.78, from where a double is infinite, and
/// −745.13, from where it is zero.
const POWER_MAX: i32 = 1_000;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let power = call::decimal("a number", &input, -POWER_MAX..=POWER_MAX)?;
        let result = exponential(power);
        if result.is_finite() {
            Ok(format!("{result:?}"))
        } else {
            let power = call::quoted(&input);
            Err(format!("e to the power of {power} does not fit a double"))
        }
    }))
}

/// e^x = 2^k · e^r, with k whole and r small enough for the series to end soon.
fn exponential(x: f64) -> f64 {
    let k = (x * LOG2_E).round_ties_even();
    let (high, low) = (x - k * LN2_HIGH, k * LN2_LOW);
    let r = high - low;
    // The series is 1 + r + r²/2 · (1 + r/3 · (1 + r/4 · …)), and `rest` its part from r² on.
    let factor = (3..=TERMS).rev().fold(1.0, |sum, n| 1.0 + r / f64::from(n) * sum);
    let rest = r * r / 2.0 * factor;
    // What 1 + high loses is known exactly and joins the small terms, so that the last addition
    // is the only rounding that shows.
    let sum = 1.0 + high;
    let lost = high - (sum - 1.0);
    let series = sum + (lost - low + rest);
    // In two steps, because 2^k alone may not fit where the product does.
    let half = (k / 2.0).trunc();
    series * power_of_two(half) * power_of_two(k - half)
}

/// 2^k for a whole k that a normal double's exponent holds, written straight into its bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "k is whole and at most half of 1000 / ln 2, so the sum is from 1 to 2046"
)]
fn power_of_two(k: f64) -> f64 {
    debug_assert!(k.abs() < 1023.0);
    f64::from_bits(((k + 1023.0) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_exact() {
        assert_eq!(exponential(0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(format!("{:?}", exponential(1.0)), "2.718281828459045");
        assert_eq!(format!("{:?}", exponential(-1.0)), "0.36787944117144233");
    }

    #[test]
    fn agrees_with_the_system_to_the_last_digits() {
        for step in -7_080..=7_090 {
            let x = f64::from(step) / 10.0 + 0.003;
            let (ours, theirs) = (exponential(x), x.exp());
            let difference = ((ours - theirs) / theirs).abs();
            assert!(difference <= f64::EPSILON, "{x}: {ours:?} {theirs:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_infinite_and_zero() {
        assert!(exponential(709.78).is_finite());
        for x in [709.8, 1e3] {
            assert!(exponential(x).is_infinite(), "{x}");
        }
        assert!(exponential(-745.0) > 0.0);
        for x in [-746.0, -1e3] {
            assert_eq!(exponential(x).to_bits(), 0, "{x}");
        }
    }
}
