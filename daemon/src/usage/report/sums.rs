//! The sums of a row, and the figures that follow from them.

use std::collections::BTreeMap;

use nebula_api::energy::UncertaintyParts;
use nebula_metering::{FunctionEnergy, Microjoules, Uncertainty};

use super::super::pending::Footprint;
use super::{Outcomes, Row, SourceEnergy};
use crate::outcome::Outcome;
use crate::units::{BILLIONTHS, Policy, kilowatt_hours};

/// The outcomes of calls that failed.
const FAILED: [Outcome; 4] = [Outcome::Error, Outcome::Trap, Outcome::Timeout, Outcome::OverBudget];

/// Calls by how they ended.
pub type CallCounts = [u64; Outcome::ALL.len()];

#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// By source.
    pub energy: BTreeMap<String, FunctionEnergy>,
    /// That of the active energy.
    pub uncertainty: Uncertainty,
    /// Whether the uncertainty of some active energy is not known: it is older than what is stored about it.
    pub uncertainty_unknown: bool,
    pub measured: CallCounts,
    pub unmeasured: CallCounts,
    pub cold_starts: u64,
    pub cpu_nanos: Option<u64>,
    pub grams: Option<Footprint>,
    pub cost: Option<Footprint>,
    /// What the machine used in the same time.
    pub machine: Microjoules,
}

impl Sums {
    /// Adds another row, but not what the machine used: that is the same for all functions, and differs by hour.
    pub fn add(&mut self, other: &Self) {
        for (source, energy) in &other.energy {
            *self.energy.entry(source.clone()).or_default() += *energy;
        }
        self.uncertainty += other.uncertainty;
        self.uncertainty_unknown |= other.uncertainty_unknown;
        for (sum, calls) in [(&mut self.measured, &other.measured), (&mut self.unmeasured, &other.unmeasured)] {
            sum.iter_mut().zip(calls).for_each(|(sum, calls)| *sum += calls);
        }
        self.cold_starts += other.cold_starts;
        if let Some(nanos) = other.cpu_nanos {
            *self.cpu_nanos.get_or_insert(0) += nanos;
        }
        for (sum, footprint) in [(&mut self.grams, other.grams), (&mut self.cost, other.cost)] {
            let Some(footprint) = footprint else { continue };
            *sum.get_or_insert_default() += footprint;
        }
    }

    /// Energy of all sources; `None` if no source was read.
    fn total(&self) -> Option<FunctionEnergy> {
        (!self.energy.is_empty()).then(|| self.energy.values().copied().sum())
    }

    /// What the policy counts, to sort rows by.
    pub fn counted(&self, policy: Policy) -> Microjoules {
        self.total().map_or(Microjoules::ZERO, |total| policy.counted(total))
    }

    /// The row, without function, version and hour.
    pub fn row(&self, policy: Policy) -> Row {
        let total = self.total();
        let energy = total.map(|total| policy.counted(total));
        let joules = energy.map(|energy| energy.joules().0);
        let amount = |footprint: Option<Footprint>| Some(footprint?.counted(policy) as f64 / BILLIONTHS);
        let covers = |footprint: Option<Footprint>| Some(part(policy.counted(footprint?.of), energy?)?.min(1.0));
        let ran = |calls: &CallCounts| calls.iter().sum::<u64>() - calls[Outcome::Rejected as usize];
        let of = |outcome: Outcome| self.measured[outcome as usize] + self.unmeasured[outcome as usize];
        // Energy of calls that are not settled yet has no uncertainty either; that of a settled call is never 0.
        let of_settled = |total: &FunctionEnergy| total.active.0 == 0 || self.uncertainty != Uncertainty::default();
        let uncertainty = total.filter(|_| !self.uncertainty_unknown).filter(of_settled).map(|_| self.uncertainty);
        let (measured, unmeasured) = (ran(&self.measured), ran(&self.unmeasured));
        let source = |(source, energy): (&String, &FunctionEnergy)| SourceEnergy {
            source: source.clone(),
            active_microjoules: energy.active.0,
            preparing_microjoules: energy.preparing.0,
            base_microjoules: energy.base.0,
        };
        Row {
            function: None,
            version: None,
            hour: None,
            sources: self.energy.iter().map(source).collect(),
            active_microjoules: total.map(|total| total.active.0),
            preparing_microjoules: total.map(|total| total.preparing.0),
            base_microjoules: total.map(|total| total.base.0),
            active_joules: total.map(|total| total.active.joules().0),
            preparing_joules: total.map(|total| total.preparing.joules().0),
            base_joules: total.map(|total| total.base.joules().0),
            energy_joules: joules,
            kwh: energy.map(|energy| kilowatt_hours(energy.joules())),
            gco2e: amount(self.grams),
            gco2e_covers: covers(self.grams),
            cost: amount(self.cost),
            cost_covers: covers(self.cost),
            calls: measured + unmeasured,
            errors: FAILED.into_iter().map(of).sum(),
            unmeasured_calls: unmeasured,
            outcomes: Outcomes {
                ok: of(Outcome::Ok),
                error: of(Outcome::Error),
                trap: of(Outcome::Trap),
                timeout: of(Outcome::Timeout),
                over_budget: of(Outcome::OverBudget),
                cancelled: of(Outcome::Cancelled),
                rejected: of(Outcome::Rejected),
            },
            joules_per_call: total
                .filter(|_| measured > 0)
                .map(|total| policy.of_calls(total).joules().0 / measured as f64),
            cpu_seconds: self.cpu_nanos.map(|nanos| nanos as f64 / 1e9),
            cold_starts: self.cold_starts,
            share: energy.and_then(|energy| part(energy, self.machine)),
            active_joules_uncertainty: uncertainty.map(|uncertainty| uncertainty.total().0),
            uncertainty_parts: uncertainty.map(|Uncertainty { common, own, source }| UncertaintyParts {
                common_joules: common.0,
                own_joules: own.0,
                source_joules: source.0,
            }),
        }
    }
}

/// The part of `all` that it is; `None` if `all` is zero.
fn part(energy: Microjoules, all: Microjoules) -> Option<f64> {
    (all > Microjoules::ZERO).then(|| energy.0 as f64 / all.0 as f64)
}
