//! Learns from closed windows what work costs in one zone, and splits the energy of a window by it.
//!
//! The energy of a window without base is modelled as a sum over its consumers,
//!
//! ```text
//! dynamic = activation · awake + Σ calls θ·x + runtime · cpu + host · cpu
//! ```
//!
//! with `awake` the time in which any processor of the package was busy, and `x` the CPU time, instructions, cycles and
//! cache misses of calls, as far as the machine counts them. The busiest functions have one more coefficient each: how
//! their CPU time deviates from what their work predicts. It is small where hardware events explain work, and large
//! where CPU time is all there is. So functions of equal CPU time and unequal power are told apart as soon as their
//! mixture changes. Until then the interval is as wide as the prior of that coefficient.
//!
//! The difference between sum and measurement goes to the consumers in proportion to their part of the variance, as in
//! the reconciliation of measurements by generalised least squares. So a host with varying power does not change what
//! functions are charged.

mod candidate;
mod conditions;
mod consumption;
mod estimator;
mod inputs;
mod moments;
mod past;
mod report;

use std::time::Duration;

use self::candidate::{Candidate, Parts, best};
use self::conditions::LAWS;
pub(crate) use self::conditions::{Conditions, beside, processors_busy};
pub use self::consumption::Weights;
pub(crate) use self::consumption::{Consumption, FunctionWork};
use self::consumption::{nanos, weight};
use self::estimator::Prior;
use self::inputs::{
    ACTIVATION, CACHE_MISSES, CALL_CPU, COUNT, CYCLES, EFFICIENT_CYCLES, EFFICIENT_INSTRUCTIONS, FEATURES, HOST_CPU,
    INSTRUCTIONS, RUNTIME_CPU, Slots, UNITS, Vector, add_work,
};
pub(crate) use self::moments::DEVIATIONS_95;
use self::moments::Moments;
use self::past::Past;
pub use self::report::{Coefficient, Feature, Learned, LearningState};
use crate::post::{FunctionId, Purpose};
use crate::units::Joules;
use crate::work::Work;

/// CPU time that must have been used before its cost has an order of magnitude.
const CPU_SECONDS_MIN: f64 = 0.2;

/// Part of the dynamic energy that is taken to be the cost of CPU time before more is known.
const CPU_PART: f64 = 0.6;

/// A window with less than this part of a busy processor says nothing about the cost of CPU time: a small error of the
/// base power would count as the cost of almost nothing.
const BUSY_MIN: f64 = 0.2;

/// Half-life of CPU time, in seconds, when functions are chosen for a coefficient of their own.
const SLOT_HALF_LIFE: f64 = 60.0;

/// An estimate does not know the windows of its call. Conditions of this recent time may recur.
const RECENT: Duration = Duration::from_secs(1);

/// Deviation of a call from what the coefficients say of all calls of its function, apart from the conditions of its
/// moments: with hardware events, what the simulated machine shows (`benches/accuracy.rs`). With CPU time alone, a busy
/// sibling costs one function more than another: two threads save 0.4 to 0.5 of what each costs alone, a deviation of
/// 0.029 of the remaining 0.56, and half of that if the coefficients were learned beside half as many.
const CALL_STRAY_WITH_EVENTS: f64 = 0.008;
const CALL_STRAY_WITHOUT: f64 = 0.026;

/// Deviation of the power of a function from what its work predicts, with hardware events and with CPU time alone:
/// standard deviations, as fractions of the mean cost of CPU time.
const FUNCTION_STRAY_WITH_EVENTS: f64 = 0.02;
const FUNCTION_STRAY_WITHOUT: f64 = 0.35;

/// Learns what work costs in one zone.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    state: LearningState,
    is_memory: bool,
    /// Energy and CPU time for the order of magnitude.
    seen: (f64, f64),
    has_events: bool,
    /// One for each law; empty while the order of magnitude is unknown.
    candidates: Vec<Candidate>,
    slots: Slots,
    /// Past conditions of work.
    past: Past,
}

impl Learner {
    /// A learner. If the source states what CPU time costs, there is nothing to learn.
    pub fn new(stated: bool, is_memory: bool) -> Self {
        let state = if stated { LearningState::Stated } else { LearningState::Waiting };
        Self {
            state,
            is_memory,
            seen: (0.0, 0.0),
            has_events: false,
            candidates: Vec::new(),
            slots: Slots::default(),
            past: Past::default(),
        }
    }

    /// Learns that `consumption` cost `dynamic` within `time`, with measurement variance `noise` in joules squared, and
    /// returns how to split it.
    pub fn weigh(&mut self, consumption: &Consumption, dynamic: Joules, noise: f64, time: Duration) -> Weights {
        self.look(consumption, dynamic, time);
        for candidate in &mut self.candidates {
            let parts = Parts::new(consumption, &self.slots, candidate.law);
            candidate.learn(&parts, dynamic, noise, time);
        }
        let Some(best) = best(&self.candidates) else { return by_cpu_time(consumption) };
        self.state = if best.learned { LearningState::Learning } else { LearningState::Frozen };
        best.weigh(&Parts::new(consumption, &self.slots, best.law), dynamic)
    }

    /// Expected cost of everything that ran, as far as anything is known.
    pub fn active(&self, consumption: &Consumption) -> Joules {
        let Some(best) = best(&self.candidates) else { return Joules(0.0) };
        let parts = Parts::new(consumption, &self.slots, best.law);
        Joules(best.estimator.predict(&parts.total()).max(0.0))
    }

    /// Expected cost of the work of a function under the conditions of the last windows; `None` while nothing is known.
    pub fn expect(&self, function: FunctionId, work: &Work) -> Option<Joules> {
        let best = best(&self.candidates)?;
        let Conditions { frequency, beside, .. } = self.past.mean(work.cpu);
        Some(Joules(self.cost(best, function, work, frequency, beside).max(0.0)))
    }

    /// The variance of that, in joules squared: of the coefficients, of the conditions of the call, and of single
    /// calls.
    pub fn variance(&self, function: FunctionId, work: &Work, is_settled: bool) -> Option<f64> {
        let best = best(&self.candidates)?;
        let (windows, cpu) = (self.past.mean(work.cpu), work.cpu.as_secs_f64());
        let moments = if is_settled {
            Moments::of_settled(&windows, cpu)
        } else {
            Moments::of_ended(&windows, &self.past.mean(work.cpu.max(RECENT)), cpu)
        };
        let Conditions { frequency, beside, .. } = windows;
        let cost = |frequency: f64, beside| self.cost(best, function, work, frequency, beside);
        let inputs = self.inputs(best, function, work, frequency, beside);
        let expected = best.estimator.predict(&inputs);
        let neighbours = moments.beside * (cost(frequency, 0.0) - cost(frequency, 1.0));
        let clock = expected - cost((frequency - moments.frequency).max(0.0), beside);
        let strays = call_stray(self.has_events) * expected;
        let mut variance = best.estimator.variance(&inputs) + neighbours.powi(2) + clock.powi(2) + strays.powi(2);
        if self.slots.of(function).is_none() {
            variance += (function_stray(self.has_events) * self.scale() * cpu).powi(2);
        }
        Some(variance)
    }

    /// Weight of a call among the calls of one function: it has done `work`, a part of it beside a busy thread.
    pub fn weight(&self, function: FunctionId, work: &Work, beside: f64) -> u64 {
        let Some(best) = best(&self.candidates) else { return nanos(work.cpu) };
        weight(self.cost(best, function, work, self.past.last().frequency, beside))
    }

    /// The base power of the zone has become known and is subtracted from now on.
    pub fn take_off(&mut self, base_watts: f64) {
        for candidate in &mut self.candidates {
            candidate.estimator.lower(ACTIVATION, base_watts);
        }
    }

    /// Everything learned, for people.
    pub fn report(&self) -> Learned {
        let coefficient = |feature, place: usize, unit: f64| {
            let estimator = &best(&self.candidates)?.estimator;
            let (value, deviation) = (estimator.mean()[place] / unit, estimator.deviation(place) / unit);
            Some(Coefficient { feature, value, deviation })
        };
        let shared = FEATURES.into_iter().enumerate().filter(|(_, feature)| self.has_events || !feature.is_event());
        let shared = shared.filter_map(|(place, feature)| coefficient(feature, place, UNITS[place]));
        let own = self.slots.iter();
        let own = own.filter_map(|(slot, id)| coefficient(Feature::Function(id), FEATURES.len() + slot, 1.0));
        Learned { state: self.state, coefficients: shared.chain(own).collect() }
    }

    /// Records who ran. Starts when the order of magnitude is known, and starts over when hardware events appear.
    fn look(&mut self, consumption: &Consumption, dynamic: Joules, time: Duration) {
        if self.state == LearningState::Stated {
            return;
        }
        self.past.add(time, consumption.conditions);
        let calls = consumption.calls_cpu().as_secs_f64();
        let cpu = calls + consumption.runtime.as_secs_f64() + consumption.host.as_secs_f64();
        if cpu >= time.as_secs_f64() * BUSY_MIN {
            self.seen.0 += dynamic.0;
            self.seen.1 += cpu;
        }
        let has_events = consumption.functions.iter().any(|part| part.work.events.is_some());
        if has_events && !self.has_events {
            self.has_events = true;
            self.candidates.clear();
        }
        if self.candidates.is_empty() && self.seen.1 >= CPU_SECONDS_MIN && self.seen.0 > 0.0 {
            let priors = priors(self.scale(), self.has_events, self.is_memory);
            self.candidates = LAWS.map(|law| Candidate::new(law, &priors)).into();
        }
        self.slots.forget(0.5_f64.powf(time.as_secs_f64() / SLOT_HALF_LIFE));
        for part in consumption.functions.iter().filter(|part| part.purpose == Purpose::Call) {
            if let Some(slot) = self.slots.note(part.function, part.work.cpu.as_secs_f64()) {
                self.candidates.iter_mut().for_each(|candidate| candidate.estimator.reset(FEATURES.len() + slot));
            }
        }
    }

    /// Rough cost of a second of CPU time: its part of the energy so far. The rest is activation.
    fn scale(&self) -> f64 {
        CPU_PART * self.seen.0 / self.seen.1
    }

    fn cost(&self, best: &Candidate, function: FunctionId, work: &Work, frequency: f64, beside: f64) -> f64 {
        best.estimator.predict(&self.inputs(best, function, work, frequency, beside))
    }

    fn inputs(&self, best: &Candidate, function: FunctionId, work: &Work, frequency: f64, beside: f64) -> Vector {
        let mut inputs = [0.0; COUNT];
        add_work(&mut inputs, work, self.slots.of(function), &best.law.scales(frequency, beside));
        inputs
    }
}

/// Priors, in multiples of the cost of CPU time. Where events explain work, cycles and instructions cost about half of
/// it each, at about three per nanosecond. A cache miss costs a package little; memory costs nothing else.
fn priors(scale: f64, has_events: bool, is_memory: bool) -> [Prior; COUNT] {
    let prior = |mean: f64, deviation: f64, drift: f64| Prior {
        mean: mean * scale,
        deviation: deviation * scale,
        drift: drift * scale,
    };
    let nothing = prior(0.0, 1e-6, 0.0);
    let mut priors = [nothing; COUNT];
    priors[ACTIVATION] = prior(0.5, 2.0, 0.0005);
    priors[CALL_CPU] = match (has_events, is_memory) {
        (false, _) => prior(1.0, 0.6, 0.001),
        (true, _) => prior(0.0, 0.02, 0.0001),
    };
    if has_events && !is_memory {
        for place in [INSTRUCTIONS, EFFICIENT_INSTRUCTIONS, CYCLES, EFFICIENT_CYCLES] {
            priors[place] = prior(0.15, 0.1, 0.0002);
        }
    }
    if has_events {
        priors[CACHE_MISSES] = if is_memory { prior(2.0, 2.0, 0.005) } else { prior(0.03, 0.03, 0.0001) };
    }
    priors[RUNTIME_CPU] = prior(1.0, 0.3, 0.001);
    priors[HOST_CPU] = prior(1.0, 0.6, 0.05);
    let stray = function_stray(has_events);
    priors[FEATURES.len()..].fill(prior(0.0, stray, stray / 500.0));
    priors
}

fn call_stray(has_events: bool) -> f64 {
    if has_events { CALL_STRAY_WITH_EVENTS } else { CALL_STRAY_WITHOUT }
}

fn function_stray(has_events: bool) -> f64 {
    if has_events { FUNCTION_STRAY_WITH_EVENTS } else { FUNCTION_STRAY_WITHOUT }
}

fn by_cpu_time(consumption: &Consumption) -> Weights {
    Weights {
        functions: consumption.functions.iter().map(|part| nanos(part.work.cpu)).collect(),
        runtime: nanos(consumption.runtime),
        host: nanos(consumption.host),
        activation: 0,
    }
}

#[cfg(test)]
mod tests;
