//! What is assumed about a zone before anything was learned.

use super::estimator::Prior;
use super::inputs::{
    ACTIVATION, BASE, CACHE_MISSES, CALL_CPU, CLOCK_EXPONENT, CORE_SHARING, COUNT, CYCLES, EFFICIENT_CYCLES,
    EFFICIENT_INSTRUCTIONS, FEATURES, HOST_CPU, INSTRUCTIONS, RUNTIME_CPU,
};

/// Base power and activation, as parts of what all processors cost on top at full load, with their deviations.
///
/// Source: idle and full power of thirteen server processors, Cloud Carbon Footprint, "Methodology" (idle is 0.18 to
/// 0.46 of the rise).
const BASE_PART: (f64, f64) = (0.25, 0.2);
const ACTIVATION_PART: (f64, f64) = (0.12, 0.12);

/// The same for memory, which draws most of its power whether it is used or not.
const MEMORY_BASE_PART: (f64, f64) = (1.0, 1.0);

/// Deviation of the power of a function from what its work predicts, with hardware events and with CPU time alone:
/// standard deviations, as fractions of the mean cost of CPU time.
const FUNCTION_STRAY_WITH_EVENTS: f64 = 0.02;
const FUNCTION_STRAY_WITHOUT: f64 = 0.35;

/// By how much the cost of a second of CPU time may be off if it is guessed from the power of a single window, and if it
/// has been seen.
pub const GUESSED: f64 = 1.5;
pub const SEEN: f64 = 0.3;

/// What is known about a zone besides its energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// It is memory, which no clock of a core changes.
    pub is_memory: bool,
    /// Whether hardware events are counted.
    pub has_events: bool,
    /// CPU time that all its processors can use in a second, in units of what a thread costs that has its core to itself.
    pub capacity: f64,
}

impl Kind {
    /// Cost of a second of CPU time if a window of `seconds` with this much of it took `energy`: in joules.
    pub fn guess(&self, energy: f64, cpu: f64, seconds: f64) -> f64 {
        let (base, _) = if self.is_memory { MEMORY_BASE_PART } else { BASE_PART };
        let activation = if self.is_memory { 0.0 } else { ACTIVATION_PART.0 * (cpu / seconds).min(1.0) };
        energy / (cpu + (base + activation) * self.capacity * seconds)
    }

    /// Priors, if a second of CPU time costs `scale` at the highest frequency. Where events explain work, cycles and
    /// instructions cost about half of it each, at about three per nanosecond. A cache miss costs a package little;
    /// memory costs nothing else.
    pub fn priors(&self, scale: f64) -> [Prior; COUNT] {
        let Self { is_memory, has_events, capacity } = *self;
        let prior = |mean: f64, deviation: f64, drift: f64| Prior {
            mean: mean * scale,
            deviation: deviation * scale,
            drift: drift * scale,
            bounds: (0.0, f64::INFINITY),
        };
        let mut priors = [prior(0.0, 1e-6, 0.0); COUNT];
        let (base, deviation) = if is_memory { MEMORY_BASE_PART } else { BASE_PART };
        priors[BASE] = prior(base * capacity, deviation * capacity, 0.0002 * capacity);
        if !is_memory {
            let (activation, deviation) = (ACTIVATION_PART.0, ACTIVATION_PART.1);
            priors[ACTIVATION] = prior(activation * capacity, deviation * capacity, 0.0001 * capacity);
            priors[CLOCK_EXPONENT] = Prior { mean: 2.2, deviation: 0.4, drift: 0.0, bounds: (0.5, 4.0) };
            priors[CORE_SHARING] = Prior { mean: 0.44, deviation: 0.05, drift: 0.0, bounds: (0.2, 0.6) };
        } else {
            let none = Prior { mean: 0.0, deviation: 0.0, drift: 0.0, bounds: (0.0, 0.0) };
            [priors[CLOCK_EXPONENT], priors[CORE_SHARING]] = [none; 2];
        }
        priors[CALL_CPU] = if has_events { prior(0.0, 0.02, 0.0001) } else { prior(1.0, 0.1, 0.0005) };
        if has_events && !is_memory {
            for place in [INSTRUCTIONS, EFFICIENT_INSTRUCTIONS, CYCLES, EFFICIENT_CYCLES] {
                priors[place] = prior(0.15, 0.1, 0.0002);
            }
        }
        if has_events {
            priors[CACHE_MISSES] = if is_memory { prior(2.0, 2.0, 0.005) } else { prior(0.03, 0.03, 0.0001) };
        }
        priors[RUNTIME_CPU] = prior(1.0, 0.3, 0.001);
        priors[HOST_CPU] = prior(1.0, 0.2, 0.002);
        let stray = function_stray(has_events) * 1.0;
        let own = Prior { bounds: (f64::NEG_INFINITY, f64::INFINITY), ..prior(0.0, stray, stray / 500.0) };
        priors[FEATURES.len()..].fill(own);
        priors
    }
}

/// Deviation of the power of a function from what its work predicts, as a fraction.
pub fn function_stray(has_events: bool) -> f64 {
    if has_events { FUNCTION_STRAY_WITH_EVENTS } else { FUNCTION_STRAY_WITHOUT }
}
