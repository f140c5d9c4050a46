//! What energy is counted as, beyond the joules and microjoules of `nebula_metering`.

use std::ops::Add;

use nebula_metering::{FunctionEnergy, Joules, Microjoules};

/// Joules in a kilowatt-hour: exactly so by definition.
const JOULES_PER_KILOWATT_HOUR: f64 = 3.6e6;

pub fn kilowatt_hours(joules: Joules) -> f64 {
    joules.0 / JOULES_PER_KILOWATT_HOUR
}

/// How amounts of carbon and money are kept in whole numbers: in billionths of a gram or of the currency's unit. A joule at
/// 400 g/kWh is 111111 of them, and at 0.30 per kWh 83.
pub const BILLIONTHS: f64 = 1e9;

/// Which energy counts as a function's own: what `energy_joules` means, what is priced and what is turned into carbon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The energy that its calls caused, and that preparing it caused.
    Active,
    /// That, and the share of its calls in the base energy, by CPU time.
    Usage,
}

impl Policy {
    /// The name used in answers and options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Usage => "usage",
        }
    }

    /// The part of a function's energy that counts: what it is billed for.
    pub fn counted(self, energy: FunctionEnergy) -> Microjoules {
        self.of(energy.charged(), energy.base)
    }

    /// The part of that which its calls account for: divided by their number it is the energy of a call.
    pub fn of_calls(self, energy: FunctionEnergy) -> Microjoules {
        self.of(energy.active, energy.base)
    }

    /// What counts of an amount of active energy and one of base energy, or of what they come to.
    pub fn of<T: Add<Output = T>>(self, active: T, base: T) -> T {
        match self {
            Self::Active => active,
            Self::Usage => active + base,
        }
    }
}
