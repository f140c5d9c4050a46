//! What is known of a call's energy when it is told to operators: the settled charge, or else the estimate.

use nebula_metering::Joules;

use crate::units::Policy;

use super::record::Facts;

/// The energy of a call, in full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownEnergy {
    /// `settled` or `estimated`.
    pub state: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What the policy says, in joules.
    pub joules: f64,
    /// What the call caused, in joules.
    pub active: f64,
    /// Its share of the base energy, where that is known.
    pub base: Option<f64>,
    /// Half the width of the 95 % interval of `active`, in joules.
    pub uncertainty: f64,
}

impl KnownEnergy {
    /// Of a call that has ended.
    ///
    /// # Errors
    /// Why nothing is known.
    pub fn of(facts: &Facts, policy: Policy) -> Result<Self, String> {
        let Some(end) = facts.ended.get() else { return Err("the call has not ended".into()) };
        let nano = |joules| Joules(joules).to_nanojoule();
        let known = |state, source, active: f64, base: Option<f64>, uncertainty| {
            let more = base.filter(|_| policy == Policy::Usage).unwrap_or_default();
            Self { state, source, joules: nano(active + more), active: nano(active), base: base.map(nano), uncertainty }
        };
        match (facts.settled.get(), &end.ended.estimate) {
            (Some(Ok(charge)), _) => {
                let (active, base) = (charge.active.joules().0, charge.base.joules().0);
                Ok(known("settled", charge.source.as_str(), active, Some(base), charge.uncertainty.0))
            }
            (Some(Err(why)), Err(_)) => Err(why.to_string()),
            (_, Ok(estimate)) => {
                let base = estimate.base.map(|base| base.0);
                Ok(known("estimated", end.source, estimate.active.0, base, estimate.uncertainty.0))
            }
            (None, Err(why)) => Err(why.to_string()),
        }
    }
}
