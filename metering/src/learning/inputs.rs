//! Work as numbers: the factor of each coefficient.
//!
//! Units are chosen so that a processor that works for a second makes about one of each. So coefficients are of similar
//! magnitude, and their matrix stays well-conditioned.

use crate::work::{Events, Work};

use super::Feature;
use super::conditions::Scales;
use super::slots::FUNCTIONS_MAX;

/// The features of every zone, in the order of their places. After them come the functions' own places.
pub const FEATURES: [Feature; 12] = [
    Feature::Base,
    Feature::Activation,
    Feature::CallCpu,
    Feature::Instructions,
    Feature::Cycles,
    Feature::CacheMisses,
    Feature::EfficientInstructions,
    Feature::EfficientCycles,
    Feature::RuntimeCpu,
    Feature::HostCpu,
    Feature::ClockExponent,
    Feature::CoreSharing,
];

pub const BASE: usize = 0;
pub const ACTIVATION: usize = 1;
pub const CALL_CPU: usize = 2;
pub const INSTRUCTIONS: usize = 3;
pub const CYCLES: usize = 4;
pub const CACHE_MISSES: usize = 5;
pub const EFFICIENT_INSTRUCTIONS: usize = 6;
pub const EFFICIENT_CYCLES: usize = 7;
pub const RUNTIME_CPU: usize = 8;
pub const HOST_CPU: usize = 9;
pub const CLOCK_EXPONENT: usize = 10;
pub const CORE_SHARING: usize = 11;

/// Number of coefficients.
pub const COUNT: usize = FEATURES.len() + FUNCTIONS_MAX;

/// Amount of each feature that makes one unit.
pub const UNITS: [f64; FEATURES.len()] = [1.0, 1.0, 1.0, 1e9, 1e9, 1e7, 1e9, 1e9, 1.0, 1.0, 1.0, 1.0];

/// A value for every coefficient.
pub type Vector = [f64; COUNT];

/// What a consumer did, in units of each coefficient, and how its cost changes with the two laws of its conditions.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Factors of the coefficients. The places of the laws stay zero.
    pub amounts: Vector,
    /// By how much the amounts change with the exponent of the clock, and with the sharing of cores.
    pub by_exponent: Vector,
    pub by_sharing: Vector,
}

impl Default for Inputs {
    fn default() -> Self {
        Self { amounts: [0.0; COUNT], by_exponent: [0.0; COUNT], by_sharing: [0.0; COUNT] }
    }
}

impl Inputs {
    /// An amount that no condition changes.
    pub fn fixed(place: usize, amount: f64) -> Self {
        let mut inputs = Self::default();
        inputs.amounts[place] = amount;
        inputs
    }

    /// Seconds of CPU time.
    pub fn time(place: usize, seconds: f64, scales: &Scales) -> Self {
        let mut inputs = Self::default();
        inputs.add_time(place, seconds, scales);
        inputs
    }

    /// The work of a call, or of all calls of a function. `slot` is the function's own place, if it has one.
    pub fn work(work: &Work, slot: Option<usize>, scales: &Scales) -> Self {
        let mut inputs = Self::default();
        let cpu = work.cpu.as_secs_f64();
        inputs.add_time(CALL_CPU, cpu, scales);
        if let Some(slot) = slot {
            inputs.add_time(FEATURES.len() + slot, cpu, scales);
        }
        for (events, instruction_place, cycle_place) in
            [(work.events, INSTRUCTIONS, CYCLES), (work.efficient, EFFICIENT_INSTRUCTIONS, EFFICIENT_CYCLES)]
        {
            let Some(Events { instructions, cycles, cache_misses, .. }) = events else { continue };
            inputs.add_switching(instruction_place, instructions, scales.instructions, scales.log_clock);
            inputs.add_switching(cycle_place, cycles, scales.cycles, scales.log_clock);
            inputs.amounts[CACHE_MISSES] += cache_misses as f64 / UNITS[CACHE_MISSES];
        }
        inputs
    }

    fn add_time(&mut self, place: usize, seconds: f64, scales: &Scales) {
        self.amounts[place] += seconds * scales.time;
        self.by_exponent[place] += seconds * scales.time * scales.log_clock;
        self.by_sharing[place] += seconds * scales.time_by_sharing;
    }

    fn add_switching(&mut self, place: usize, count: u64, scale: f64, log_clock: f64) {
        let amount = count as f64 / UNITS[place] * scale;
        self.amounts[place] += amount;
        self.by_exponent[place] += amount * log_clock;
    }

    /// Adds what another consumer did.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut Vector, more: &Vector| sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        add(&mut self.amounts, &other.amounts);
        add(&mut self.by_exponent, &other.by_exponent);
        add(&mut self.by_sharing, &other.by_sharing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efficiency_cores_are_counted_apart() {
        let events = |instructions| Events { instructions, cycles: 2_000_000_000, ..Events::default() };
        let work =
            Work { events: Some(events(1_000_000_000)), efficient: Some(events(500_000_000)), ..Work::default() };
        let Inputs { amounts, .. } = Inputs::work(&work, None, &Scales::NONE);
        assert_eq!((amounts[INSTRUCTIONS], amounts[EFFICIENT_INSTRUCTIONS]), (1.0, 0.5));
        assert_eq!((amounts[CYCLES], amounts[EFFICIENT_CYCLES]), (2.0, 2.0));
    }
}
