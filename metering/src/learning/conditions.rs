//! Conditions of work: its frequency, and beside how many others it ran. Both change the cost of CPU time or of a cycle
//! by half and more, for all consumers at once.
//!
//! Switching energy grows with the square of the voltage, and the voltage rises with the frequency. How much it rises
//! is published nowhere. Over the range in which a processor works, a power of the frequency describes it ([`Law`]), and
//! the exponent is learned like a coefficient. Two threads on a core share the energy of its cycles, and each gets less
//! done; how much that saves is learned too.
//!
//! Source: for the energy Chandrakasan, Sheng and Brodersen, "Low-Power CMOS Digital Design", IEEE JSSC 27(4), 1992; for
//! two threads a core Marr et al., "Hyper-Threading Technology Architecture and Microarchitecture", Intel Technology
//! Journal 6(1), 2002, who find up to 30 % more work done.

use std::time::Duration;

/// Factors of conditions on CPU time, instructions and cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    pub time: f64,
    pub instructions: f64,
    pub cycles: f64,
    /// Logarithm of the frequency, relative to the highest: the relative change of all three by the exponent.
    pub log_clock: f64,
    /// Change of `time` with [`Law::sharing`].
    pub time_by_sharing: f64,
}

impl Scales {
    /// No change.
    #[cfg(test)]
    pub const NONE: Self = Self { time: 1.0, instructions: 1.0, cycles: 1.0, log_clock: 0.0, time_by_sharing: 0.0 };
}

/// Conditions in one package during one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Frequency at work, relative to the highest; one if unknown.
    pub frequency: f64,
    /// Part of the work that ran beside a busy thread on the same core, 0 to 1.
    pub beside: f64,
    /// Part of the work of calls that probably ran beside something other than a call, at unknown times.
    pub beside_others: f64,
    /// Standard deviation of the number of busy processors within the window, as a part of the cores of the package.
    pub restlessness: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { frequency: 1.0, beside: 0.0, beside_others: 0.0, restlessness: 0.0 }
    }
}

impl Conditions {
    /// Part of the work that ran beside calls, of what did not run beside others.
    pub fn beside_calls(&self) -> f64 {
        ((self.beside - self.beside_others) / (1.0 - self.beside_others).max(0.01)).clamp(0.0, 1.0)
    }

    /// These conditions, moved by `part` towards others.
    pub fn towards(&self, other: &Self, part: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * part;
        Self {
            frequency: between(self.frequency, other.frequency),
            beside: between(self.beside, other.beside),
            beside_others: between(self.beside_others, other.beside_others),
            restlessness: between(self.restlessness, other.restlessness),
        }
    }
}

/// How conditions change the cost of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Law {
    /// The power of a core grows with its frequency to this power.
    pub exponent: f64,
    /// How much less CPU time costs beside a busy thread.
    pub sharing: f64,
}

/// Two threads share the cycles of one core.
const CYCLES_BESIDE: f64 = 0.5;

/// Lowest frequency, relative to the highest, that a law is asked about.
const FREQUENCY_MIN: f64 = 0.05;

impl Law {
    /// Factors at a frequency relative to the highest, if a part of the work ran beside a busy thread. Energy by cycle
    /// has one power less of the frequency than energy by time.
    pub fn scales(self, frequency: f64, beside: f64) -> Scales {
        let frequency = frequency.max(FREQUENCY_MIN);
        let clock = frequency.powf(self.exponent);
        // Work that no frequency changes is not switched by this core's clock.
        let switching = if self.exponent == 0.0 { 1.0 } else { clock / frequency };
        Scales {
            time: clock * (1.0 - self.sharing * beside),
            instructions: switching,
            cycles: switching * (1.0 - CYCLES_BESIDE * beside * f64::from(self.sharing > 0.0)),
            log_clock: frequency.ln(),
            time_by_sharing: -clock * beside,
        }
    }
}

/// Part of the work that runs beside a busy thread on the same core, on a package of `cpus` processors in `cores`
/// cores, if `mean` are busy on average with this `variance`. The scheduler fills idle cores first.
///
/// Source: Linux `kernel/sched/fair.c`, `select_idle_core`.
pub fn beside(mean: f64, variance: f64, cores: usize, cpus: usize) -> f64 {
    let (cores, cpus) = (cores as f64, cpus as f64);
    if cpus <= cores || mean <= 0.0 {
        return 0.0;
    }
    // Beyond one for each core, every further thread finds a neighbour: E[max(0, k − cores)] of a normal k.
    let excess = mean - cores;
    let deviation = variance.max(0.0).sqrt();
    let beyond = if deviation > 1e-9 {
        let z = excess / deviation;
        deviation * density(z) + excess * cumulative(z)
    } else {
        excess.max(0.0)
    };
    (beyond * cpus / (cpus - cores) / mean).clamp(0.0, 1.0)
}

fn density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// The normal distribution, good to 0.0002.
///
/// Source: Bowling et al., "A logistic approximation to the cumulative normal distribution", JIEM 2(1), 2009.
fn cumulative(z: f64) -> f64 {
    1.0 / (1.0 + (-(0.07056 * z.powi(3) + 1.5976 * z)).exp())
}

/// Mean and variance of the number of busy processors, from those that ran calls and from the CPU time of others in a
/// window, which used the remaining processors.
pub fn processors_busy((mean, variance): (f64, f64), others: Duration, time: Duration, cpus: usize) -> (f64, f64) {
    let free = (cpus as f64 - mean).max(f64::MIN_POSITIVE);
    let others = (others.as_secs_f64() / time.as_secs_f64().max(1e-9)).min(free);
    let each = others / free;
    (mean + others, variance + others * (1.0 - each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shares_cores_when_there_are_more_threads_than_cores() {
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.01, "{value}");
        near(beside(4.0, 0.0, 8, 16), 0.0);
        near(beside(12.0, 0.0, 8, 16), 2.0 / 3.0);
        near(beside(16.0, 0.0, 8, 16), 1.0);
        near(beside(16.0, 0.0, 16, 16), 0.0);
        let fluctuating = beside(8.0, 4.0, 8, 16);
        assert!((0.15..0.25).contains(&fluctuating), "{fluctuating}");
    }

    #[test]
    fn work_costs_less_at_a_low_frequency_and_beside_others() {
        let scales = |frequency, beside| Law { exponent: 2.0, sharing: 0.44 }.scales(frequency, beside);
        assert_eq!(scales(1.0, 0.0), Scales::NONE);
        let slow = scales(0.5, 0.0);
        assert!((slow.instructions - 0.5).abs() < 1e-9 && (slow.time - 0.25).abs() < 1e-9, "{slow:?}");
        let crowded = scales(1.0, 1.0);
        assert!(crowded.cycles == 0.5 && crowded.instructions == 1.0, "{crowded:?}");
    }

    #[test]
    fn the_slopes_of_a_law_are_its_differences() {
        let (law, step) = (Law { exponent: 2.2, sharing: 0.44 }, 1e-6);
        let here = law.scales(0.7, 0.5);
        let steeper = Law { exponent: law.exponent + step, ..law }.scales(0.7, 0.5);
        assert!(((steeper.time - here.time) / step - here.time * here.log_clock).abs() < 1e-5);
        assert!(((steeper.cycles - here.cycles) / step - here.cycles * here.log_clock).abs() < 1e-5);
        let shared = Law { sharing: law.sharing + step, ..law }.scales(0.7, 0.5);
        assert!(((shared.time - here.time) / step - here.time_by_sharing).abs() < 1e-5);
    }

    #[test]
    fn the_normal_distribution_is_near_enough() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.84134), (-1.96, 0.025), (3.0, 0.99865)] {
            assert!((cumulative(z) - expected).abs() < 3e-4, "{z}");
        }
    }
}
