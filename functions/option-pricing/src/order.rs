//! What to price, read from the input.

/// The highest spot or strike price.
const PRICE_MAX: i32 = 1_000_000_000;

/// The most outcomes to draw: about a second of work.
const PATHS_MAX: u32 = 10_000_000;

/// An option and the effort to spend on it. Rates are a year's, as fractions: 0.05 is 5 %.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The price of the underlying today.
    pub spot: f64,
    /// The price at which the option lets its holder buy.
    pub strike: f64,
    /// The riskless interest rate, compounded continuously.
    pub rate: f64,
    /// The standard deviation of the underlying's yearly return.
    pub volatility: f64,
    /// The time until expiry.
    pub years: f64,
    /// How many outcomes to draw.
    pub paths: u32,
}

/// The largest volatility² · years. The variance of the outcomes grows with its exponential:
/// beyond this the price hangs on draws so rare that the simulation would miss them and not
/// notice, for its standard error would miss them too.
const SPREAD_MAX: f64 = 4.0;

impl Default for Order {
    fn default() -> Self {
        Self { spot: 100.0, strike: 100.0, rate: 0.05, volatility: 0.2, years: 1.0, paths: 100_000 }
    }
}

impl Order {
    /// Reads the six fields in order; one that is empty or missing keeps its default.
    pub fn parse(input: &str) -> Result<Self, String> {
        let mut order = Self::default();
        for (place, field) in input.split(',').enumerate() {
            if field.trim_ascii().is_empty() && place < 6 {
                continue;
            }
            match place {
                0 => order.spot = call::decimal("a spot price", field, 0..=PRICE_MAX)?,
                1 => order.strike = call::decimal("a strike price", field, 0..=PRICE_MAX)?,
                2 => order.rate = call::decimal("a rate", field, -1..=1)?,
                3 => order.volatility = call::decimal("a volatility", field, 0..=5)?,
                4 => order.years = call::decimal("a number of years", field, 0..=100)?,
                5 => {
                    order.paths = call::whole("a whole number of paths", field, 2..=PATHS_MAX)?;
                }
                _ => {
                    return Err("expected at most six fields: `spot,strike,rate,volatility,years,paths`".to_owned());
                }
            }
        }
        if order.volatility * order.volatility * order.years > SPREAD_MAX {
            return Err("volatility² · years is above 4: the outcomes spread too far to simulate".to_owned());
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_left_out_take_their_defaults() {
        assert_eq!(Order::parse(""), Ok(Order::default()));
        assert_eq!(Order::parse(" , ,,,,"), Ok(Order::default()));
        let order = Order::parse("90,,0.01,,,500").unwrap();
        let expected = Order { spot: 90.0, rate: 0.01, paths: 500, ..Order::default() };
        assert_eq!(order, expected);
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        for input in [
            "-1",
            "nan",
            "inf",
            "1e300",
            "100,x",
            ",,2",
            ",,,-0.1",
            ",,,,101",
            ",,,,,1",
            ",,,,,1.5",
            ",,,,,,",
            ",,,2,1.01",
            "1 2",
        ] {
            assert!(Order::parse(input).is_err(), "{input}");
        }
    }
}
