//! Under which conditions work ran: at what frequency, and beside how many others. Both change what a second of CPU time
//! or a cycle costs, by half and more, and for everybody at once.
//!
//! Switching energy goes with the square of the voltage, and the voltage rises with the frequency. By how much is not
//! told anywhere; so several laws are tried side by side, and the one that foretells windows best is believed
//! ([`LAWS`]). Two threads that share a core share the energy of its cycles, and each gets less done.
//!
//! Source: for the energy Chandrakasan, Sheng and Brodersen, "Low-Power CMOS Digital Design", IEEE JSSC 27(4), 1992; for
//! two threads a core Marr et al., "Hyper-Threading Technology Architecture and Microarchitecture", Intel Technology
//! Journal 6(1), 2002, who find up to 30 % more work done.

use std::time::Duration;

/// What a law makes of conditions: factors on CPU time, on instructions and on cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    pub time: f64,
    pub instructions: f64,
    pub cycles: f64,
}

impl Scales {
    /// Work costs what it costs.
    pub const NONE: Self = Self { time: 1.0, instructions: 1.0, cycles: 1.0 };
}

/// Conditions in one package during one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Frequency at work, relative to the highest; one where it is not known.
    pub frequency: f64,
    /// The part of work that ran beside a busy thread of the same core, from 0 to 1.
    pub beside: f64,
    /// The part of a call's work that is taken to have run beside somebody who is no call, of whom it is not known when.
    pub beside_others: f64,
    /// By how much the number of busy processors varied within the window, as a part of the package's cores: a standard
    /// deviation.
    pub restlessness: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { frequency: 1.0, beside: 0.0, beside_others: 0.0, restlessness: 0.0 }
    }
}

impl Conditions {
    /// The part of work that ran beside calls, of what did not run beside others.
    pub fn beside_calls(&self) -> f64 {
        ((self.beside - self.beside_others) / (1.0 - self.beside_others).max(0.01)).clamp(0.0, 1.0)
    }

    /// These conditions, moved a part of the way towards others.
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

/// How the cost of work follows conditions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Not at all: a zone that has nothing to do with cores.
    Constant,
    /// The voltage falls by this part of what the frequency falls, both relative to their highest.
    Voltage(f64),
}

/// The laws that are tried: close enough that at three quarters of the highest frequency the nearest one is some 6 % off
/// at most.
pub const LAWS: [Law; 7] = [
    Law::Constant,
    Law::Voltage(0.0),
    Law::Voltage(0.2),
    Law::Voltage(0.4),
    Law::Voltage(0.6),
    Law::Voltage(0.8),
    Law::Voltage(1.0),
];

/// By how much CPU time costs less beside a busy thread: the cycles of the core are shared by two, and each thread does
/// 0.6 of what it does alone, of which the one or the other weighs more.
const TIME_BESIDE: f64 = 0.44;

/// Two threads make the cycles of one core.
const CYCLES_BESIDE: f64 = 0.5;

impl Law {
    /// Factors on work at a frequency, relative to the highest, of which a part ran beside a busy thread.
    pub fn scales(self, frequency: f64, beside: f64) -> Scales {
        let Self::Voltage(slope) = self else { return Scales::NONE };
        let voltage = 1.0 - slope * (1.0 - frequency);
        let switching = voltage * voltage;
        Scales {
            time: switching * frequency * (1.0 - TIME_BESIDE * beside),
            instructions: switching,
            cycles: switching * (1.0 - CYCLES_BESIDE * beside),
        }
    }
}

/// The part of work that runs beside a busy thread of the same core, on a package of `cpus` processors in `cores` cores,
/// of which `mean` are busy on average, with this `variance`. The scheduler fills idle cores first.
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

/// How many processors ran something, on average and by how much that varied, from how many ran calls and for how long
/// others ran in a window, on the processors that were left to them.
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
        let scales = |frequency, beside| Law::Voltage(0.6).scales(frequency, beside);
        assert_eq!(scales(1.0, 0.0), Scales::NONE);
        let slow = scales(0.5, 0.0);
        assert!((slow.instructions - 0.49).abs() < 1e-9 && (slow.time - 0.245).abs() < 1e-9, "{slow:?}");
        let crowded = scales(1.0, 1.0);
        assert!(crowded.cycles == 0.5 && crowded.instructions == 1.0, "{crowded:?}");
        assert_eq!(Law::Constant.scales(0.5, 1.0), Scales::NONE);
    }

    #[test]
    fn the_normal_distribution_is_near_enough() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.84134), (-1.96, 0.025), (3.0, 0.99865)] {
            assert!((cumulative(z) - expected).abs() < 3e-4, "{z}");
        }
    }
}
