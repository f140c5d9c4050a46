//! Work as numbers: what each coefficient is multiplied by.
//!
//! Every unit is chosen so that a processor that works for a second makes about one of it; so no coefficient is many
//! orders of magnitude away from the others, and the matrix over them stays well-conditioned.

use crate::post::FunctionId;
use crate::work::{Events, Work};

use super::Feature;
use super::conditions::Scales;

/// How many functions may have a coefficient of their own at once: those that lately used most CPU time. The others go
/// by what their work says.
pub const FUNCTIONS_MAX: usize = 16;

/// The features that every zone has, in the order of their places.
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
const INSTRUCTIONS: usize = 2;
const CYCLES: usize = 3;
const CACHE_MISSES: usize = 4;
const EFFICIENT_INSTRUCTIONS: usize = 5;
const EFFICIENT_CYCLES: usize = 6;
pub const RUNTIME_CPU: usize = 7;
pub const HOST_CPU: usize = 8;

/// How many coefficients there are.
pub const COUNT: usize = FEATURES.len() + FUNCTIONS_MAX;

/// How much of its feature makes one of the unit in which the place is counted.
pub const UNITS: [f64; FEATURES.len()] = [1.0, 1.0, 1e9, 1e9, 1e7, 1e9, 1e9, 1.0, 1.0];

/// A value for every coefficient.
pub type Vector = [f64; COUNT];

/// Puts a call's work, or that of a function's calls, into `inputs`. `slot` is the function's own place, if it has one.
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

/// Which functions have a place of their own.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    functions: [Option<(FunctionId, f64)>; FUNCTIONS_MAX],
}

impl Slots {
    /// The function's place, if it has one.
    pub fn of(&self, function: FunctionId) -> Option<usize> {
        self.functions.iter().position(|slot| slot.is_some_and(|(owner, _)| owner == function))
    }

    /// Every function with its place.
    pub fn iter(&self) -> impl Iterator<Item = (usize, FunctionId)> + '_ {
        self.functions.iter().enumerate().filter_map(|(place, slot)| slot.map(|(function, _)| (place, function)))
    }

    /// What was used before counts by `keep` from now on.
    pub fn forget(&mut self, keep: f64) {
        self.functions.iter_mut().flatten().for_each(|(_, recent)| *recent *= keep);
    }

    /// Notes that a function used so much CPU time. Gives the place that it has just been given, whose former owner
    /// has lost it. To take one from another it must have used twice as much.
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
