//! What electricity costs.

use std::fmt;

use nebula_metering::Joules;

use super::units::Pue;
use crate::settings::options;
use crate::units::kilowatt_hours;

/// More than a kilowatt-hour costs in any currency.
const PRICE_MAX: f64 = 1e9;

options! {
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Prices {
        /// Price of a kilowatt-hour, such as "0.30 EUR"
        price: Option<Price> => "price", PRICE, Price::read;
        /// Power usage effectiveness: joules that the building draws per joule of the machine; counts in grams and cost
        pue: Pue => "pue", FACTOR = "1.0", Pue::read;
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    pub per_kilowatt_hour: f64,
    pub currency: Currency,
}

/// A currency's three letters. Source: ISO 4217; any three capital letters are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub amount: f64,
    pub currency: Currency,
}

impl Prices {
    /// What energy costs, including what the building draws for it. `None` without a price.
    pub fn cost(&self, joules: Joules) -> Option<Cost> {
        let Price { per_kilowatt_hour, currency } = self.price?;
        Some(Cost { amount: kilowatt_hours(joules) * per_kilowatt_hour * self.pue.factor(), currency })
    }
}

impl Price {
    /// Parses a price such as `0.30 EUR`.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || "a price is an amount and a currency, such as 0.30 EUR, for a kilowatt-hour".to_owned();
        let (amount, currency) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let amount = amount.parse().ok().filter(|amount| (0.0..=PRICE_MAX).contains(amount));
        let currency = Currency::read(currency.trim_start());
        let (per_kilowatt_hour, currency) = amount.zip(currency).ok_or_else(wrong)?;
        Ok(Self { per_kilowatt_hour, currency })
    }
}

impl Currency {
    /// Parses three capital letters.
    pub fn read(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_an_amount_and_a_currency() {
        let price = Price::read(" 0.30  EUR ").unwrap();
        assert_eq!((price.per_kilowatt_hour, price.currency.as_str()), (0.3, "EUR"));
        assert!(Price::read("0 JPY").is_ok());
        for bad in ["", "0.30", "EUR", "EUR 0.30", "0.30EUR", "-1 EUR", "nan EUR", "inf EUR", "1 eur", "1 EURO", "1 €€"]
        {
            assert!(Price::read(bad).is_err(), "{bad}");
        }
    }
}
