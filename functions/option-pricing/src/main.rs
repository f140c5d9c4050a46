//! Prices a European call option by simulation: draws the price of the underlying at expiry
//! many times, as the Black-Scholes model has it, and averages the discounted payoff.
//!
//! Input: `spot,strike,rate,volatility,years,paths`. A field that is empty or missing takes its
//! default. The environment variable `seed` picks another sequence of random numbers.

mod normal;
mod order;
mod pricing;

use std::process::ExitCode;

use order::Order;
use random::Generator;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let order = Order::parse(&input)?;
        let estimate = pricing::simulate(&order, Generator::from_environment()?);
        match (money(estimate.price), money(estimate.standard_error)) {
            (Some(price), Some(error)) => Ok(format!("price {price}, standard error {error}")),
            _ => Err("the price is too large: try a lower spot price or more paths".to_owned()),
        }
    }))
}

/// An amount with four decimals, or none where it is too large to have them. Printed as a whole
/// number of ten-thousandths, because printing a floating point number takes far more code.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the comparison leaves only what fits")]
fn money(amount: f64) -> Option<String> {
    let parts = (amount * 1e4).round_ties_even();
    // Up to 2⁵³ a double is exact to the last whole number.
    if !(0.0..9e15).contains(&parts) {
        return None;
    }
    let parts = parts as u64;
    Some(format!("{}.{:04}", parts / 10_000, parts % 10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_four_decimals() {
        assert_eq!(money(10.450_583_57).as_deref(), Some("10.4506"));
        assert_eq!(money(0.000_1).as_deref(), Some("0.0001"));
        assert_eq!(money(0.0).as_deref(), Some("0.0000"));
    }

    #[test]
    fn money_that_cannot_be_printed_is_none() {
        for amount in [f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(money(amount), None, "{amount}");
        }
    }
}
