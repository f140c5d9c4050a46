//! Learns what work costs in one zone, and answers what it is expected to cost.

use std::time::Duration;

use super::ablation::{Part, without};
use super::conditions::{Conditions, Law};
use super::consumption::{Consumption, Weights, weight};
use super::estimator::Estimator;
use super::inputs::{ACTIVATION, BASE, CLOCK_EXPONENT, CORE_SHARING, FEATURES, HOST_CPU, Inputs, UNITS};
use super::knowledge::Trial;
use super::past::Past;
use super::priors::{GUESSED, Kind, SEEN};
use super::report::{Coefficient, Feature, Learned, LearningState};
use super::residuals::{Residuals, Verdict};
use super::slots::Slots;
use super::split::Parts;
use crate::post::Purpose;
use crate::source::{CounterSpec, SourceKind, Stated};
use crate::units::{Joules, Watts};
use crate::work::Work;
use crate::zone::Domain;

/// CPU time that must have been used before its cost has an order of magnitude.
pub(super) const CPU_SECONDS_MIN: f64 = 0.3;

/// A window with less than this part of a busy processor says nothing about the cost of CPU time.
const BUSY_MIN: f64 = 0.2;

/// If the order of magnitude was guessed wrong by this factor, learning starts over with the right one.
const GUESS_OFF: f64 = 1.3;

/// Half-life of CPU time, in seconds, when functions are chosen for a coefficient of their own.
const SLOT_HALF_LIFE: f64 = 60.0;

/// Windows are joined for learning, though not for charging: the CPU time of others comes in ticks of 10 ms, and a reading
/// may be one update old. In a single window of 100 ms both blur what belongs together.
const BLOCK: Duration = Duration::from_millis(490);

/// Windows that are learned from together.
#[derive(Clone, Debug, Default)]
struct Block {
    total: Inputs,
    /// In joules; the variances in joules squared.
    energy: f64,
    noise: f64,
    stray: f64,
    host: Duration,
    time: Duration,
}

impl Block {
    fn add(&mut self, total: &Inputs, energy: Joules, noise: f64, stray: f64, host: Duration, time: Duration) {
        self.total.add(total);
        self.energy += energy.0;
        // Readings in between are the end of one window and the start of the next.
        self.noise = self.noise.max(noise);
        self.stray += stray;
        self.host += host;
        self.time += time;
    }
}

/// Learns what work costs in one zone.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    pub(super) state: LearningState,
    pub(super) kind: Kind,
    /// Base power and the cost of work, if the source states them.
    base: Option<Watts>,
    stated: Option<Stated>,
    /// CPU time that has been seen, at the highest frequency, and its energy.
    pub(super) seen: (f64, f64),
    /// Cost of a second of CPU time that the priors were made with.
    pub(super) scale: f64,
    /// `None` before the first window.
    pub(super) estimator: Option<Estimator>,
    pub(super) residuals: Residuals,
    /// The windows since it learned last.
    block: Block,
    /// What was recalled from an earlier process is on trial.
    pub(super) trial: Option<Trial>,
    pub(super) slots: Slots,
    /// Past conditions of work.
    pub(super) past: Past,
}

impl Learner {
    /// A learner for a zone whose processors can use `capacity` seconds of CPU time in a second. If its source states
    /// what CPU time costs, there is nothing to learn.
    pub fn new(spec: &CounterSpec, capacity: f64) -> Self {
        let is_stated = spec.source == SourceKind::Model;
        Self {
            state: if is_stated { LearningState::Stated } else { LearningState::Waiting },
            kind: Kind { is_memory: spec.zone.domain == Domain::Dram, has_events: false, capacity: capacity.max(1.0) },
            base: spec.base,
            stated: spec.stated,
            seen: (0.0, 0.0),
            scale: 0.0,
            estimator: None,
            residuals: Residuals::default(),
            block: Block::default(),
            trial: None,
            slots: Slots::default(),
            past: Past::default(),
        }
    }

    /// Learns that `consumption` cost `energy` within `time`, with measurement variance `noise` in joules squared, and
    /// returns how to split it.
    pub fn weigh(&mut self, consumption: &Consumption, energy: Joules, noise: f64, time: Duration) -> Weights {
        if self.state == LearningState::Stated {
            return self.as_stated(consumption, energy, time);
        }
        self.look(consumption, energy, time);
        let Some(estimator) = &self.estimator else { return self.as_stated(consumption, energy, time) };
        let parts = Parts::new(consumption, &self.slots, estimator.law(), time);
        self.block.add(&parts.total, energy, noise, parts.stray(estimator), consumption.host, time);
        if (self.block.time >= BLOCK || without(Part::Blocks)) && !self.learn() {
            self.forget();
            self.look(consumption, energy, time);
        }
        let Some(estimator) = &self.estimator else { return self.as_stated(consumption, energy, time) };
        parts.weigh(estimator, energy, noise)
    }

    /// Learns from the windows of the block. Returns whether they go with what was known.
    fn learn(&mut self) -> bool {
        let block = std::mem::take(&mut self.block);
        let Some(estimator) = &mut self.estimator else { return true };
        let seconds = block.time.as_secs_f64();
        estimator.drift(seconds);
        let variance = block.noise + self.residuals.fit() * block.stray;
        let (off_by, known) = (block.energy - estimator.predict(&block.total), estimator.variance(&block.total));
        if let Some(trial) = &mut self.trial {
            match trial.add(off_by / (known + variance).max(f64::MIN_POSITIVE).sqrt()) {
                Some(true) => return false,
                Some(false) => {}
                None => self.trial = None,
            }
        }
        let verdict = self.residuals.judge(off_by, known, variance, block.time);
        if verdict == Verdict::Refuted || (self.trial.is_some() && matches!(verdict, Verdict::Step(_))) {
            return false;
        }
        if let Verdict::Step(watts) = verdict {
            // Functions are told apart by their mixtures. What comes or goes unseen is the machine's or a neighbour's.
            estimator.widen(BASE, watts.powi(2));
            let host = block.host.as_secs_f64() / seconds;
            if host > BUSY_MIN {
                estimator.widen(HOST_CPU, (watts / host).powi(2));
            }
        }
        let learned = (verdict != Verdict::Outlier || without(Part::Outliers))
            && estimator.learn(block.energy, &block.total, variance);
        self.state = if learned { LearningState::Learning } else { LearningState::Frozen };
        true
    }

    /// Base power and its standard deviation; `None` while nothing is known.
    pub fn base(&self) -> Option<(Watts, Watts)> {
        let learned = self.estimator.as_ref().map(|of| (Watts(of.mean()[BASE]), Watts(of.deviation(BASE))));
        self.base.map(|watts| (watts, Watts(0.0))).or(learned)
    }

    /// Everything learned, for people.
    pub fn report(&self) -> Learned {
        let coefficient = |feature, place: usize, unit: f64| {
            let estimator = self.estimator.as_ref()?;
            let (value, deviation) = (estimator.mean()[place] / unit, estimator.deviation(place) / unit);
            Some(Coefficient { feature, value, deviation })
        };
        let shared = FEATURES.into_iter().enumerate();
        let shared = shared.filter(|(_, feature)| self.kind.has_events || !feature.is_event());
        let shared = shared.filter_map(|(place, feature)| coefficient(feature, place, UNITS[place]));
        let own = self.slots.iter();
        let own = own.filter_map(|(slot, id)| coefficient(Feature::Function(id), FEATURES.len() + slot, 1.0));
        Learned { state: self.state, coefficients: shared.chain(own).collect() }
    }

    /// Records who ran. Starts with the first window, again when the order of magnitude is known and the guess was far
    /// off, and again when hardware events appear.
    fn look(&mut self, consumption: &Consumption, energy: Joules, time: Duration) {
        self.past.add(time, consumption.conditions);
        let seconds = time.as_secs_f64();
        if seconds <= 0.0 || energy.0 <= 0.0 {
            return;
        }
        let Conditions { frequency, beside, .. } = consumption.conditions;
        let assumed = || {
            let priors = self.kind.priors(1.0);
            Law { exponent: priors[CLOCK_EXPONENT].mean, sharing: priors[CORE_SHARING].mean }
        };
        let law = self.estimator.as_ref().map_or_else(assumed, Estimator::law);
        let used = consumption.calls_cpu() + consumption.runtime + consumption.host;
        let cpu = used.as_secs_f64() * law.scales(frequency, beside).time;
        let is_blind = without(Part::Events) || (self.kind.is_memory && without(Part::CacheMisses));
        let has_events = !is_blind && consumption.functions.iter().any(|part| part.work.events.is_some());
        if has_events && !self.kind.has_events {
            self.kind.has_events = true;
            let before = self.estimator.take();
            if let Some(before) = before {
                self.start(self.scale, SEEN, Some(&before));
            }
        }
        if self.estimator.is_none() {
            self.start(self.kind.guess(energy.0, cpu, seconds), GUESSED, None);
        }
        let is_busy = used.as_secs_f64() >= seconds * BUSY_MIN;
        if is_busy {
            self.past.worked_at(frequency);
        }
        if is_busy && !self.is_seen() {
            let estimator = self.estimator.as_ref();
            let fixed = estimator
                .map_or(0.0, |of| of.mean()[BASE] * seconds + of.mean()[ACTIVATION] * consumption.awake.as_secs_f64());
            self.seen.0 += cpu;
            self.seen.1 += (energy.0 - fixed).max(0.0);
            if self.seen.0 >= CPU_SECONDS_MIN && self.seen.1 > 0.0 {
                let scale = self.seen.1 / self.seen.0;
                if (scale / self.scale).ln().abs() > GUESS_OFF.ln() && !without(Part::SecondStart) {
                    let before = self.estimator.take();
                    self.start(scale, SEEN, before.as_ref());
                }
            }
        }
        self.slots.forget(0.5_f64.powf(seconds / SLOT_HALF_LIFE));
        let calls = consumption.functions.iter().filter(|part| part.purpose == Purpose::Call);
        for part in calls.filter(|_| !without(Part::OwnCoefficients)) {
            if let (Some(slot), Some(estimator)) =
                (self.slots.note(part.function, part.work.cpu.as_secs_f64()), &mut self.estimator)
            {
                estimator.reset(FEATURES.len() + slot);
                self.block = Block::default();
            }
        }
    }

    /// Starts with priors for CPU time that costs `scale` a second, give or take `common`. Base, activation and the laws
    /// are taken over from `before`.
    fn start(&mut self, scale: f64, common: f64, before: Option<&Estimator>) {
        let mut estimator = Estimator::new(&self.kind.priors(scale), common);
        if let Some(before) = before {
            for place in [BASE, ACTIVATION, CLOCK_EXPONENT, CORE_SHARING] {
                estimator.adopt(place, before);
            }
        }
        self.scale = scale;
        self.estimator = Some(estimator);
        self.residuals = Residuals::default();
        self.block = Block::default();
    }

    /// Forgets everything learned: it contradicts what is measured.
    fn forget(&mut self) {
        (self.estimator, self.seen, self.trial, self.scale) = (None, (0.0, 0.0), None, 0.0);
        self.residuals = Residuals::default();
        self.block = Block::default();
    }

    /// Whether the cost of CPU time has an order of magnitude.
    pub(super) fn is_seen(&self) -> bool {
        self.seen.0 >= CPU_SECONDS_MIN
    }

    /// Splits what is left after base by the cost that the source states, or by CPU time if it states none.
    fn as_stated(&self, consumption: &Consumption, energy: Joules, time: Duration) -> Weights {
        let base = self.base.map_or(0.0, |watts| (watts.0 * time.as_secs_f64()).min(energy.0));
        let functions: Vec<f64> = consumption.functions.iter().map(|part| self.stated_cost(&part.work)).collect();
        let [runtime, host] = [consumption.runtime, consumption.host].map(|cpu| self.stated_cost(&Work::of_cpu(cpu)));
        let all = functions.iter().sum::<f64>() + runtime + host;
        // What a stated curve adds to the cost of a thread at full load is that of waking the package.
        let active = (energy.0 - base).min(self.stated.map_or(f64::MAX, |_| all * consumption.conditions.frequency));
        let of = |cost: f64| if all > 0.0 { weight(active * cost / all) } else { 0 };
        Weights {
            functions: functions.into_iter().map(of).collect(),
            runtime: of(runtime),
            host: of(host),
            base: weight(energy.0 - active),
        }
    }

    pub(super) fn stated_cost(&self, work: &Work) -> f64 {
        self.stated.map_or(work.cpu.as_secs_f64(), |stated| stated.cost(work).0)
    }
}
