//! The simulation, and how sure it is of its result.

use random::Generator;

use crate::normal::Normal;
use crate::order::Order;

/// A price and its standard error, in the currency of the spot price.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    pub price: f64,
    pub standard_error: f64,
}

pub fn simulate(order: &Order, random: Generator) -> Estimate {
    let mut normal = Normal::new(random);
    let variance = order.volatility * order.volatility;
    let drift = (order.rate - variance / 2.0) * order.years;
    let spread = order.volatility * order.years.sqrt();
    let discount = (-order.rate * order.years).exp();

    // Welford's running mean and sum of squares, which does not subtract large sums.
    let (mut mean, mut squares) = (0.0, 0.0);
    for path in 1..=order.paths {
        let price = order.spot * (drift + spread * normal.draw()).exp();
        let payoff = discount * (price - order.strike).max(0.0);
        let step = payoff - mean;
        mean += step / f64::from(path);
        squares += step * (payoff - mean);
    }
    let paths = f64::from(order.paths);
    Estimate { price: mean, standard_error: (squares / (paths - 1.0) / paths).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The normal distribution function by Simpson's rule from the middle outwards.
    fn distribution(x: f64) -> f64 {
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let step = x / 1000.0;
        let inner: f64 = (1..1000).map(|n| density(f64::from(n) * step) * if n % 2 == 0 { 2.0 } else { 4.0 }).sum();
        0.5 + (density(0.0) + inner + density(x)) * step / 3.0
    }

    fn black_scholes(order: &Order) -> f64 {
        let spread = order.volatility * order.years.sqrt();
        let carry = (order.rate + order.volatility * order.volatility / 2.0) * order.years;
        let d = ((order.spot / order.strike).ln() + carry) / spread;
        let strike_today = order.strike * (-order.rate * order.years).exp();
        order.spot * distribution(d) - strike_today * distribution(d - spread)
    }

    #[test]
    fn closed_form_gives_the_textbook_price() {
        assert!((black_scholes(&Order::default()) - 10.450_583_6).abs() < 1e-6);
    }

    #[test]
    fn simulation_is_within_four_standard_errors_of_the_closed_form() {
        for (seed, input) in [(1, ""), (2, "100,120,0.01,0.3,0.5"), (3, "42,40,0.1,0.2,0.5"), (4, "100,80,-0.01,0.6,3")]
        {
            let order = Order::parse(input).unwrap();
            let Estimate { price, standard_error } = simulate(&order, Generator::from_seed(seed));
            let exact = black_scholes(&order);
            assert!(
                (price - exact).abs() < 4.0 * standard_error,
                "{input}: {price} ± {standard_error}, exactly {exact}"
            );
            assert!(standard_error < 0.02 * exact, "{input}: {standard_error}");
        }
    }

    #[test]
    fn without_time_the_price_is_the_payoff() {
        let order = Order::parse("110,100,0.05,0.2,0,10").unwrap();
        let estimate = simulate(&order, Generator::from_seed(1));
        assert!((estimate.price - 10.0).abs() < 1e-9);
        assert!(estimate.standard_error < 1e-9);
    }
}
