//! What is assumed about a zone before anything was learned.

use super::ablated::leave_out_of;
use super::estimator::Prior;
use super::inputs::{
    ACTIVATION, BASE, CACHE_MISSES, CALL_CPU, CLOCK_EXPONENT, CORE_SHARING, COUNT, CYCLES, EFFICIENT_CYCLES,
    EFFICIENT_INSTRUCTIONS, FEATURES, HOST_CPU, INSTRUCTIONS, RUNTIME_CPU,
};

/// Base power, as a part of what all processors cost on top at full load, with its deviation.
///
/// Source: idle and full power of server processors, Cloud Carbon Footprint, "Methodology": idle is 0.18 to 0.46 of the
/// rise, whose threads run below their highest frequency, which makes 0.12 to 0.3 here. Laptops and desktops idle at a
/// few watts and lie at 0.02 to 0.1; machines of few cores with large fans and disks lie above.
const BASE_PART: (f64, f64) = (0.2, 0.3);

/// Activation, in units of what one core costs, and by how much it grows with each. Its deviation is nearly as large:
/// where calls run one at a time it cannot be told from the cost of CPU time, and then the interval has to contain both.
///
/// Source: `tests/fixtures/turbostress`: the first tenth of the load of eleven servers draws more than a tenth of the rise.
const ACTIVATION_CORES: (f64, f64) = (0.4, 0.03);
const ACTIVATION_DEVIATION: f64 = 0.9;

/// Base power and activation of memory, which draws most of its power whether it is used or not, as parts of what its
/// use costs on top at full load.
///
/// Source: `tests/fixtures/turbostress`: on three servers memory draws 50 W at rest, 92 W as soon as a tenth of the
/// machine is busy, and 119 W at full load.
const MEMORY_BASE_PART: (f64, f64) = (1.0, 1.0);
const MEMORY_ACTIVATION_PART: (f64, f64) = (0.3, 0.6);

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
        let ((base, _), (activation, _)) = self.fixed();
        energy / (cpu + base * seconds + activation * cpu.min(seconds))
    }

    /// Base power and activation with their deviations, in units of what a second of CPU time costs.
    fn fixed(&self) -> ((f64, f64), (f64, f64)) {
        let of = |(mean, deviation): (f64, f64)| (mean * self.capacity, deviation * self.capacity);
        if self.is_memory {
            return (of(MEMORY_BASE_PART), of(MEMORY_ACTIVATION_PART));
        }
        let activation = ACTIVATION_CORES.0 + ACTIVATION_CORES.1 * self.capacity;
        (of(BASE_PART), (activation, ACTIVATION_DEVIATION * activation))
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
        let (base, activation) = self.fixed();
        priors[BASE] = prior(base.0, base.1, 0.0002 * capacity);
        priors[ACTIVATION] = prior(activation.0, activation.1, 0.0001 * capacity);
        if is_memory {
            let none = Prior { mean: 0.0, deviation: 0.0, drift: 0.0, bounds: (0.0, 0.0) };
            [priors[CLOCK_EXPONENT], priors[CORE_SHARING]] = [none; 2];
        } else {
            priors[CLOCK_EXPONENT] = Prior { mean: 2.2, deviation: 0.4, drift: 0.0, bounds: (0.5, 4.0) };
            priors[CORE_SHARING] = Prior { mean: 0.44, deviation: 0.05, drift: 0.0, bounds: (0.2, 0.6) };
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
        leave_out_of(&mut priors);
        priors
    }
}

/// Deviation of the power of a function from what its work predicts, as a fraction.
pub fn function_stray(has_events: bool) -> f64 {
    if has_events { FUNCTION_STRAY_WITH_EVENTS } else { FUNCTION_STRAY_WITHOUT }
}
