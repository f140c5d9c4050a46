//! Laws that real processors follow and that the meter does not contain.
//!
//! Each is optional, so that its effect can be seen alone. None changes what a call's own execution means: its truth
//! remains the energy of its cycles, instructions and misses at the frequency and voltage at which they ran, and of the
//! sleep that it interrupts. What heat and the uncore add is drawn by the package.

mod leakage;
mod licences;
mod sleep;
mod uncore;
mod voltage;

pub use leakage::Leakage;
pub use licences::Licences;
pub use sleep::Sleep;
pub use uncore::Uncore;
pub use voltage::VoltageCurve;

/// The additional laws of a machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Laws {
    /// Voltage by frequency, in place of a straight line.
    pub voltage: Option<VoltageCurve>,
    /// Leakage that grows with the temperature.
    pub leakage: Option<Leakage>,
    /// Lower frequencies for wide vector instructions.
    pub licences: Option<Licences>,
    /// Sleep of cores, and what it costs to wake them.
    pub sleep: Option<Sleep>,
    /// Activation power that follows the frequency of the uncore.
    pub uncore: Option<Uncore>,
}

impl Laws {
    /// Every law, with a voltage curve.
    #[must_use]
    pub fn all(voltage: VoltageCurve, leakage: Leakage) -> Self {
        Self {
            voltage: Some(voltage),
            leakage: Some(leakage),
            licences: Some(Licences::skylake_server()),
            sleep: Some(Sleep::skylake_server()),
            uncore: Some(Uncore::skylake_server()),
        }
    }
}
