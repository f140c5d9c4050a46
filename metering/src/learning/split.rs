//! The consumers of a window: what each is expected to cost, how much each may deviate, and how both split what was
//! measured.

use std::time::Duration;

use super::ablation::{Part, without};
use super::conditions::{Conditions, Law, Scales};
use super::consumption::{Consumption, Weights, weight};
use super::estimator::Estimator;
use super::inputs::{
    ACTIVATION, BASE, CACHE_MISSES, CALL_CPU, CYCLES, EFFICIENT_CYCLES, EFFICIENT_INSTRUCTIONS, FEATURES, HOST_CPU,
    INSTRUCTIONS, Inputs, RUNTIME_CPU,
};
use super::slots::Slots;
use crate::post::Purpose;
use crate::units::Joules;

/// Standard deviation of the power of a consumer from its coefficients within a window, as a fraction: common to all
/// but base (frequency and voltage), and of base, activation, runtime, host (of which only CPU time is known) and calls.
const STRAY_COMMON: f64 = 0.02;
const STRAY_BASE: f64 = 0.003;
const STRAY_ACTIVATION: f64 = 0.03;
const STRAY_RUNTIME: f64 = 0.10;
const STRAY_HOST: f64 = 0.06;
const STRAY_CALLS: f64 = 0.005;

/// Standard deviation of how much a consumer saves beside a busy thread from what all save together, where CPU time is
/// all that is known of it: what mostly stalls saves more than what mostly computes. It is assumed: nobody has published
/// the saving by kind of work.
pub(super) const STRAY_SHARING: f64 = 0.03;

/// A function costs at least this part of what its work costs other functions, however much its own coefficient says.
const FUNCTION_LEAST: f64 = 0.1;

/// Number of consumers before the functions: base, activation, runtime, host.
const OTHERS: usize = 4;

/// The consumers of a window, each with its relative deviation: base, activation, runtime, host, then functions.
pub(super) struct Parts {
    parts: Vec<(Inputs, f64)>,
    pub total: Inputs,
}

impl Parts {
    pub fn new(consumption: &Consumption, slots: &Slots, law: Law, time: Duration) -> Self {
        let Conditions { frequency, beside, .. } = consumption.conditions;
        let scales = law.scales(frequency, beside);
        let (awake, doubt) = (consumption.awake.as_secs_f64(), consumption.awake_doubt.as_secs_f64());
        let others = [
            (Inputs::fixed(BASE, time.as_secs_f64()), STRAY_BASE),
            (Inputs::fixed(ACTIVATION, awake), STRAY_ACTIVATION.hypot(doubt / awake.max(f64::MIN_POSITIVE))),
            (Inputs::time(RUNTIME_CPU, consumption.runtime.as_secs_f64(), &scales), STRAY_RUNTIME),
            (Inputs::time(HOST_CPU, consumption.host.as_secs_f64(), &scales), STRAY_HOST),
        ];
        let functions = consumption.functions.iter().map(|part| {
            let scales = law.scales(frequency, part.beside);
            match part.purpose {
                Purpose::Call => (Inputs::work(&part.work, slots.of(part.function), &scales), STRAY_CALLS),
                // A compiler is the daemon's own code, whatever it compiles.
                Purpose::Preparing => (Inputs::time(RUNTIME_CPU, part.work.cpu.as_secs_f64(), &scales), STRAY_RUNTIME),
            }
        });
        let parts: Vec<_> = others.into_iter().chain(functions).collect();
        let mut total = Inputs::default();
        for (inputs, _) in &parts {
            total.add(inputs);
        }
        Self { parts, total }
    }

    /// Splits a window whose measurement has this variance.
    pub fn weigh(&self, estimator: &Estimator, energy: Joules, noise: f64) -> Weights {
        let expected = self.expected(estimator);
        let all: f64 = expected.iter().sum();
        let left = energy.0 - all;
        let spread = estimator.spread(&estimator.slopes(&self.total));
        let doubt = |(((inputs, _), stray), expected): ((&(Inputs, f64), f64), &f64)| {
            if without(Part::Reconciliation) {
                return *expected;
            }
            let slopes = estimator.slopes(inputs);
            let known: f64 = spread.iter().zip(&slopes).map(|(a, b)| a * b).sum();
            // What a reading is late or early by was used by all, as they use energy.
            let late = if all > 0.0 { noise * expected / all } else { 0.0 };
            (known + stray).max(0.0) + late
        };
        let doubts: Vec<f64> =
            self.parts.iter().zip(self.strays(estimator, &expected)).zip(&expected).map(doubt).collect();
        let sum: f64 = doubts.iter().sum();
        let charge = |(&expected, &doubt): (&f64, &f64)| expected + if sum > 0.0 { left * doubt / sum } else { 0.0 };
        let mut weights = expected.iter().zip(&doubts).map(charge).map(weight);
        let mut next = || weights.next().unwrap_or(0);
        let (base, activation, runtime, host) = (next(), next(), next(), next());
        Weights { base: base.saturating_add(activation), runtime, host, functions: weights.collect() }
    }

    /// Variance that consumers add to that of the window by deviating from their coefficients.
    pub fn stray(&self, estimator: &Estimator) -> f64 {
        self.strays(estimator, &self.expected(estimator)).sum()
    }

    fn expected(&self, estimator: &Estimator) -> Vec<f64> {
        let of = |(place, (inputs, _)): (usize, &(Inputs, f64))| {
            if place < OTHERS { estimator.predict(inputs) } else { FunctionCost::new(estimator, inputs).total() }
                .max(0.0)
        };
        self.parts.iter().enumerate().map(of).collect()
    }

    fn strays<'a>(&'a self, estimator: &'a Estimator, expected: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let dynamic: f64 = expected[1..].iter().sum();
        expected.iter().zip(&self.parts).enumerate().map(move |(place, (&expected, (inputs, stray)))| {
            let common = if place == 0 { 0.0 } else { STRAY_COMMON.powi(2) * expected * dynamic };
            (stray * expected).powi(2) + common + (STRAY_SHARING * estimator.by_sharing(inputs)).powi(2)
        })
    }
}

/// Expected cost of the work of a function, apart what conditions change each in its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct FunctionCost {
    time: f64,
    /// Of `time`, what the function's own coefficient adds.
    own: f64,
    instructions: f64,
    cycles: f64,
    cache_misses: f64,
}

impl FunctionCost {
    pub fn new(estimator: &Estimator, inputs: &Inputs) -> Self {
        let of = |place: usize| estimator.mean()[place] * inputs.amounts[place];
        let own = (FEATURES.len()..inputs.amounts.len()).map(of).sum();
        Self {
            time: of(CALL_CPU),
            own,
            instructions: of(INSTRUCTIONS) + of(EFFICIENT_INSTRUCTIONS),
            cycles: of(CYCLES) + of(EFFICIENT_CYCLES),
            cache_misses: of(CACHE_MISSES),
        }
    }

    /// The whole cost, which is never nothing.
    pub fn total(&self) -> f64 {
        let shared = self.time + self.instructions + self.cycles + self.cache_misses;
        (shared + self.own).max(FUNCTION_LEAST * shared)
    }

    /// The whole cost under other conditions than those it was made for.
    pub fn under(&self, made_for: &Scales, other: &Scales) -> f64 {
        let time = other.time / made_for.time;
        let instructions = self.instructions * other.instructions / made_for.instructions;
        let cycles = self.cycles * other.cycles / made_for.cycles;
        Self { time: self.time * time, own: self.own * time, instructions, cycles, ..*self }.total()
    }
}
