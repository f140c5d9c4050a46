//! The coefficients under one law of conditions, how well they predict windows, and how they split one.

use std::time::Duration;

use super::conditions::{Conditions, Law};
use super::consumption::{Consumption, Weights, weight};
use super::estimator::{Estimator, Prior};
use super::inputs::{ACTIVATION, COUNT, HOST_CPU, RUNTIME_CPU, Slots, Vector, add_work};
use crate::units::Joules;

/// Standard deviation of the power of a consumer from its coefficients within a window, as a fraction: common to all
/// (frequency and voltage), calls, runtime, host (of which only CPU time is known), and activation.
const STRAY_COMMON: f64 = 0.02;
const STRAY_CALLS: f64 = 0.005;
const STRAY_RUNTIME: f64 = 0.10;
const STRAY_HOST: f64 = 0.06;
const STRAY_ACTIVATION: f64 = 0.03;

/// Half-life of a window, in seconds, in the score of a law.
const SCORE_HALF_LIFE: f64 = 120.0;

/// Most that one window may change [`Candidate::fit`], and its bounds.
const STRAYED_MAX: f64 = 16.0;
const FIT_MIN: f64 = 0.01;
const FIT_MAX: f64 = 100.0;

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub law: Law,
    pub estimator: Estimator,
    /// Whether the last window changed the coefficients.
    pub learned: bool,
    /// Mean square deviation of windows, relative to what was expected.
    fit: f64,
    /// Log likelihood of past windows, recent ones counting more.
    score: f64,
}

/// The candidate that predicted windows best.
pub(super) fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().max_by(|a, b| a.score.total_cmp(&b.score))
}

impl Candidate {
    pub fn new(law: Law, priors: &[Prior; COUNT]) -> Self {
        Self { law, estimator: Estimator::new(priors), learned: false, fit: 1.0, score: 0.0 }
    }

    pub fn learn(&mut self, parts: &Parts, dynamic: Joules, noise: f64, time: Duration) {
        let seconds = time.as_secs_f64();
        self.estimator.drift(seconds);
        let total = parts.total();
        let noise = noise + self.fit * parts.stray(&self.estimator).iter().sum::<f64>();
        let variance = self.estimator.variance(&total) + noise;
        let innovation = dynamic.0 - self.estimator.predict(&total);
        if variance > 0.0 {
            let strayed = innovation * innovation / variance;
            let keep = 0.5_f64.powf(seconds / SCORE_HALF_LIFE);
            self.score = self.score * keep - 0.5 * (variance.ln() + strayed);
            // A single bad window does not outweigh all others.
            let fit = self.fit * strayed.min(STRAYED_MAX);
            self.fit = (self.fit + (fit - self.fit) * (1.0 - keep)).clamp(FIT_MIN, FIT_MAX);
        }
        self.learned = self.estimator.learn(dynamic.0, &total, noise);
    }

    /// Splits a window among its consumers.
    pub fn weigh(&self, parts: &Parts, dynamic: Joules) -> Weights {
        let estimator = &self.estimator;
        let expected = parts.expected(estimator);
        let left = dynamic.0 - expected.iter().sum::<f64>();
        let spread = estimator.spread(&parts.total());
        let known = |inputs: &Vector| spread.iter().zip(inputs).map(|(a, b)| a * b).sum::<f64>();
        let doubt = |((inputs, _), stray): (&(Vector, f64), f64)| (known(inputs) + stray).max(0.0);
        let doubts: Vec<f64> = parts.0.iter().zip(parts.stray(estimator)).map(doubt).collect();
        let all: f64 = doubts.iter().sum();
        let charge = |(&expected, &doubt): (&f64, &f64)| expected + if all > 0.0 { left * doubt / all } else { 0.0 };
        let mut weights = expected.iter().zip(&doubts).map(charge).map(weight);
        let mut next = || weights.next().unwrap_or(0);
        let (activation, runtime, host) = (next(), next(), next());
        Weights { activation, runtime, host, functions: weights.collect() }
    }
}

/// The consumers of a window as inputs, each with its deviation: activation, runtime, host, then functions.
pub(super) struct Parts(Vec<(Vector, f64)>);

impl Parts {
    pub fn new(consumption: &Consumption, slots: &Slots, law: Law) -> Self {
        let Conditions { frequency, beside, .. } = consumption.conditions;
        let scales = law.scales(frequency, beside);
        let single = |place: usize, value: f64, stray| {
            let mut inputs = [0.0; COUNT];
            inputs[place] = value;
            (inputs, stray)
        };
        let functions = consumption.functions.iter().map(|part| {
            let mut inputs = [0.0; COUNT];
            add_work(&mut inputs, &part.work, part.slot(slots), &law.scales(frequency, part.beside));
            (inputs, STRAY_CALLS)
        });
        let (awake, doubt) = (consumption.awake.as_secs_f64(), consumption.awake_doubt.as_secs_f64());
        let others = [
            single(ACTIVATION, awake, STRAY_ACTIVATION.hypot(doubt / awake.max(f64::MIN_POSITIVE))),
            single(RUNTIME_CPU, consumption.runtime.as_secs_f64() * scales.time, STRAY_RUNTIME),
            single(HOST_CPU, consumption.host.as_secs_f64() * scales.time, STRAY_HOST),
        ];
        Self(others.into_iter().chain(functions).collect())
    }

    pub fn total(&self) -> Vector {
        let mut total = [0.0; COUNT];
        for (inputs, _) in &self.0 {
            total.iter_mut().zip(inputs).for_each(|(sum, input)| *sum += input);
        }
        total
    }

    fn expected(&self, estimator: &Estimator) -> Vec<f64> {
        self.0.iter().map(|(inputs, _)| estimator.predict(inputs).max(0.0)).collect()
    }

    /// Variance that each consumer adds to that of a window by deviating from its coefficients.
    fn stray(&self, estimator: &Estimator) -> Vec<f64> {
        let expected = self.expected(estimator);
        let all: f64 = expected.iter().sum();
        let own = |(&expected, (_, stray)): (&f64, &(Vector, f64))| {
            (stray * expected).powi(2) + STRAY_COMMON.powi(2) * expected * all
        };
        expected.iter().zip(&self.0).map(own).collect()
    }
}
