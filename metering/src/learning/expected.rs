//! What a call is expected to cost in one zone, and how far it may be off.

use super::ablation::{Part, without};
use super::conditions::{Conditions, Scales};
use super::consumption::weight;
use super::inputs::Inputs;
use super::learner::Learner;
use super::moments::Moments;
use super::priors::function_stray;
use super::split::{FunctionCost, STRAY_SHARING};
use crate::post::FunctionId;
use crate::units::Joules;
use crate::work::Work;

/// Deviation of a call from what the coefficients say of all calls of its function, apart from the conditions of its
/// moments: with hardware events, what the simulated machine shows (`benches/accuracy.rs`). With CPU time alone, a busy
/// sibling costs one function more than another: two threads save 0.4 to 0.5 of what each costs alone, a deviation of
/// 0.029 of the remaining 0.56, and half of that if the coefficients were learned beside half as many.
const CALL_STRAY_WITH_EVENTS: f64 = 0.008;
const CALL_STRAY_WITHOUT: f64 = 0.026;

/// Deviation of the cost of all calls of a function that no amount of learning removes: how busy the other threads of
/// the cores were is known to about 0.05 of their time, which changes the cost of work by half of that.
const STRUCTURE: f64 = 0.025;

/// Variances of the cost of a call, in joules squared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Doubt {
    /// Of what all calls of the function have in common: the coefficients.
    pub common: f64,
    /// Of what is the call's own: the conditions of its moments.
    pub own: f64,
}

impl Learner {
    /// Expected cost of the work of a function under the conditions of the last windows, and its variance; `None` while
    /// nothing is known. Of a call that is settled, its windows are the last ones; of another, none is known yet.
    pub fn expect(&self, function: FunctionId, work: &Work, is_settled: bool) -> Option<(Joules, Doubt)> {
        let estimator = self.estimator.as_ref()?;
        let (windows, cpu) = (self.past.mean(work.cpu), work.cpu.as_secs_f64());
        let moments = if is_settled {
            Moments::of_settled(&windows, self.past.fall(), cpu)
        } else {
            Moments::of_ended(&windows, &self.past.recent(work.cpu), self.past.fall(), cpu)
        };
        let Conditions { frequency, beside, .. } = windows;
        let (law, slot) = (estimator.law(), self.slots.of(function));
        let scales = law.scales(frequency, beside);
        let inputs = Inputs::work(work, slot, &scales);
        let cost = FunctionCost::new(estimator, &inputs);
        let under = |other: &Scales| cost.under(&scales, other);
        let expected = cost.total().max(0.0);

        let alone = under(&law.scales(frequency, 0.0));
        let crowded = under(&law.scales(frequency, 1.0));
        let neighbours = moments.beside * (alone - crowded);
        let slower = (frequency - moments.frequency).max(0.0);
        let clock = if slower < frequency { expected - under(&law.scales(slower, beside)) } else { 0.0 };
        let stray = if self.kind.has_events { CALL_STRAY_WITH_EVENTS } else { CALL_STRAY_WITHOUT } * expected;
        let structure = (STRUCTURE * expected).hypot(STRAY_SHARING * estimator.by_sharing(&inputs));
        let mut common = estimator.variance(&inputs);
        if !without(Part::Structure) {
            common += structure.powi(2);
        }
        if slot.is_none() {
            common += (function_stray(self.kind.has_events) * self.scale * cpu).powi(2);
        }
        Some((Joules(expected), Doubt { common, own: neighbours.powi(2) + clock.powi(2) + stray.powi(2) }))
    }

    /// Weight of a call among the calls of one function: it has done `work`, a part of it beside a busy thread.
    pub fn weight(&self, function: FunctionId, work: &Work, beside: f64) -> u64 {
        let Some(estimator) = &self.estimator else { return weight(self.stated_cost(work)) };
        let scales = estimator.law().scales(self.past.last().frequency, beside);
        let inputs = Inputs::work(work, self.slots.of(function), &scales);
        weight(FunctionCost::new(estimator, &inputs).total().max(0.0))
    }
}
