//! Heat and uncore frequency of a package, which follow its load with a delay.

use crate::laws::Laws;

/// The slow state of a package.
#[derive(Clone, Copy, Debug)]
pub struct Climate {
    /// Degrees above the temperature of the idle package.
    kelvin: f64,
    /// Frequency of the uncore, relative to the highest.
    uncore: f64,
}

impl Climate {
    pub fn new(laws: &Laws) -> Self {
        Self { kelvin: 0.0, uncore: laws.uncore.map_or(1.0, |uncore| uncore.lowest) }
    }

    /// Activation power, relative to that at the highest frequency of the uncore.
    pub fn activation(&self, laws: &Laws) -> f64 {
        laws.uncore.map_or(1.0, |uncore| uncore.activation(self.uncore))
    }

    /// Advances by `seconds`, in which this part of the cores was busy and the package drew `watts` above idle power.
    /// Returns the leakage beyond that of the idle package, in joules.
    pub fn advance(&mut self, laws: &Laws, seconds: f64, busy: f64, watts: f64) -> f64 {
        if let Some(uncore) = laws.uncore {
            self.uncore = uncore.follow(self.uncore, busy, seconds);
        }
        laws.leakage.map_or(0.0, |leakage| {
            self.kelvin = leakage.warm(self.kelvin, watts, seconds);
            leakage.excess(self.kelvin) * seconds
        })
    }
}
