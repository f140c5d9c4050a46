//! Work as numbers: the factor of each coefficient.
//!
//! Units are chosen so that a processor that works for a second makes about one of each. So coefficients are of similar
//! magnitude, and their matrix stays well-conditioned.

use crate::post::FunctionId;
use crate::work::{Events, Work};

use super::Feature;
use super::conditions::Scales;

/// Maximum number of functions with a coefficient of their own: those with most recent CPU time.
pub const FUNCTIONS_MAX: usize = 16;

/// The features of every zone, in the order of their places.
pub const FEATURES: [Feature; 9] = [
    Feature::Activation,
    Feature::CallCpu,
    Feature::Instructions,
    Feature::Cycles,
    Feature::CacheMisses,
    Feature::EfficientInstructions,
    Feature::EfficientCycles,
    Feature::RuntimeCpu,
    Feature::HostCpu,
];

pub const ACTIVATION: usize = 0;
pub const CALL_CPU: usize = 1;
pub const INSTRUCTIONS: usize = 2;
pub const CYCLES: usize = 3;
pub const CACHE_MISSES: usize = 4;
pub const EFFICIENT_INSTRUCTIONS: usize = 5;
pub const EFFICIENT_CYCLES: usize = 6;
pub const RUNTIME_CPU: usize = 7;
pub const HOST_CPU: usize = 8;

/// Number of coefficients.
pub const COUNT: usize = FEATURES.len() + FUNCTIONS_MAX;

/// Amount of each feature that makes one unit.
pub const UNITS: [f64; FEATURES.len()] = [1.0, 1.0, 1e9, 1e9, 1e7, 1e9, 1e9, 1.0, 1.0];

/// A value for every coefficient.
pub type Vector = [f64; COUNT];

/// Adds the work of a call, or of all calls of a function, to `inputs`. `slot` is the function's own place, if it has
/// one.
pub fn add_work(inputs: &mut Vector, work: &Work, slot: Option<usize>, scales: &Scales) {
    let cpu = work.cpu.as_secs_f64() * scales.time;
    inputs[CALL_CPU] += cpu;
    if let Some(slot) = slot {
        inputs[FEATURES.len() + slot] += cpu;
    }
    let mut add = |place: usize, count: u64| {
        let scale = match place {
            INSTRUCTIONS | EFFICIENT_INSTRUCTIONS => scales.instructions,
            CYCLES | EFFICIENT_CYCLES => scales.cycles,
            _ => 1.0,
        };
        inputs[place] += count as f64 / UNITS[place] * scale;
    };
    if let Some(Events { instructions, cycles, cache_misses, .. }) = work.events {
        add(INSTRUCTIONS, instructions);
        add(CYCLES, cycles);
        add(CACHE_MISSES, cache_misses);
    }
    if let Some(Events { instructions, cycles, cache_misses, .. }) = work.efficient {
        add(EFFICIENT_INSTRUCTIONS, instructions);
        add(EFFICIENT_CYCLES, cycles);
        add(CACHE_MISSES, cache_misses);
    }
}

/// The functions with a place of their own.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    functions: [Option<(FunctionId, f64)>; FUNCTIONS_MAX],
}

impl Slots {
    /// Place of the function, if it has one.
    pub fn of(&self, function: FunctionId) -> Option<usize> {
        self.functions.iter().position(|slot| slot.is_some_and(|(owner, _)| owner == function))
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, FunctionId)> + '_ {
        self.functions.iter().enumerate().filter_map(|(place, slot)| slot.map(|(function, _)| (place, function)))
    }

    /// Multiplies past CPU time by `keep`.
    pub fn forget(&mut self, keep: f64) {
        self.functions.iter_mut().flatten().for_each(|(_, recent)| *recent *= keep);
    }

    /// Records CPU time of a function. Returns the place it has just been given, whose former owner has lost it. To
    /// take one, it must have used twice as much.
    pub fn note(&mut self, function: FunctionId, cpu: f64) -> Option<usize> {
        if let Some((_, recent)) = self.functions.iter_mut().flatten().find(|(owner, _)| *owner == function) {
            *recent += cpu;
            return None;
        }
        let least = |slot: &Option<(FunctionId, f64)>| slot.map_or(-1.0, |(_, recent)| recent);
        let (place, slot) = self.functions.iter_mut().enumerate().min_by(|a, b| least(a.1).total_cmp(&least(b.1)))?;
        (least(slot) * 2.0 < cpu).then(|| {
            *slot = Some((function, cpu));
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_use_more_take_the_place_of_those_that_use_less() {
        let mut slots = Slots::default();
        for function in 0..FUNCTIONS_MAX as u32 {
            assert!(slots.note(FunctionId(function), f64::from(function) + 1.0).is_some());
        }
        assert_eq!(slots.note(FunctionId(99), 1.5), None);
        assert_eq!(slots.note(FunctionId(99), 2.5), Some(0));
        assert_eq!((slots.of(FunctionId(0)), slots.of(FunctionId(99))), (None, Some(0)));
        slots.forget(0.1);
        assert_eq!(slots.note(FunctionId(100), 0.5), Some(1));
    }

    #[test]
    fn efficiency_cores_are_counted_apart() {
        let events = |instructions| Events { instructions, cycles: 2_000_000_000, ..Events::default() };
        let work =
            Work { events: Some(events(1_000_000_000)), efficient: Some(events(500_000_000)), ..Work::default() };
        let mut inputs = [0.0; COUNT];
        add_work(&mut inputs, &work, None, &Scales::NONE);
        assert_eq!((inputs[INSTRUCTIONS], inputs[EFFICIENT_INSTRUCTIONS]), (1.0, 0.5));
        assert_eq!((inputs[CYCLES], inputs[EFFICIENT_CYCLES]), (2.0, 2.0));
    }
}
