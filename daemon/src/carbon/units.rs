//! Grams of CO2 equivalent, carbon intensity, and power usage effectiveness.

use std::fmt;

/// Ten times more than any grid has, even one of lignite: beyond it, the figure is in another unit.
const INTENSITY_MAX: f64 = 10_000.0;

/// Grams of CO2 equivalent (CO2e).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Grams(pub f64);

impl fmt::Display for Grams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0.abs() {
            g if g >= 1e3 => (1e-3, "kg"),
            g if g >= 1.0 || g == 0.0 => (1.0, "g"),
            g if g >= 1e-3 => (1e3, "mg"),
            g if g >= 1e-6 => (1e6, "µg"),
            _ => (1e9, "ng"),
        };
        write!(f, "{:.3} {unit}", self.0 * scale)
    }
}

/// Grams of CO2e per kilowatt-hour of electricity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GramsPerKilowattHour(f64);

impl GramsPerKilowattHour {
    /// `None` for a figure that no grid has.
    pub fn new(grams: f64) -> Option<Self> {
        (0.0..=INTENSITY_MAX).contains(&grams).then_some(Self(grams))
    }

    pub fn read(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().and_then(Self::new);
        number.ok_or_else(|| format!("an intensity is a number of grams per kilowatt-hour from 0 to {INTENSITY_MAX}"))
    }

    pub fn grams(self) -> f64 {
        self.0
    }
}

/// Power usage effectiveness: joules that a building draws per joule of its machines. At least 1.
///
/// Source: ISO/IEC 30134-2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pue(f64);

/// No building wastes more.
const PUE_MAX: f64 = 10.0;

impl Pue {
    /// A building that draws nothing beyond its machines.
    pub const NONE: Self = Self(1.0);

    pub fn read(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|number| (1.0..=PUE_MAX).contains(number));
        number.map(Self).ok_or_else(|| format!("it must be a number from 1 to {PUE_MAX}, such as 1.2"))
    }

    pub fn factor(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_are_shown_in_the_unit_a_person_reads() {
        let shown = [0.0, 1_234.5, 2.5, 0.0021, 17.9e-6, 17.9e-9, 17.9e-12].map(|grams| Grams(grams).to_string());
        assert_eq!(shown, ["0.000 g", "1.234 kg", "2.500 g", "2.100 mg", "17.900 µg", "17.900 ng", "0.018 ng"]);
    }

    #[test]
    fn impossible_figures_are_refused() {
        for good in ["0", "302", " 24.5 ", "10000", "3e2"] {
            assert!(GramsPerKilowattHour::read(good).is_ok(), "{good}");
        }
        for bad in ["", "-1", "10000.1", "nan", "inf", "302 g", "1,5"] {
            assert!(GramsPerKilowattHour::read(bad).is_err(), "{bad}");
        }
        assert!(Pue::read("1").is_ok() && Pue::read("1.58").is_ok() && Pue::read("10").is_ok());
        for bad in ["0.99", "10.1", "nan", "", "-2"] {
            assert!(Pue::read(bad).is_err(), "{bad}");
        }
    }
}
