//! Grams of CO2e as metrics: settled energy, times the intensity of the second in which it was settled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use nebula_metering::{FunctionEnergy, FunctionId, Microjoules};
use parking_lot::Mutex;
use prometheus::Counter;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::families::Family;
use super::metrics::Labels;
use super::stored::Stored;
use crate::carbon::Carbon;
use crate::meter::EnergyMeter;
use crate::units::Policy;

const UNKNOWN: Family = Family {
    name: "nebula_carbon_unknown_joules_total",
    help: "Settled energy of functions in joules that is not in nebula_function_carbon_grams_total: the carbon intensity was \
           not known when it was settled.",
    labels: &[],
};
const INTENSITY: Family = Family {
    name: "nebula_carbon_intensity_grams_per_kilowatt_hour",
    help: "Grams of CO2e for each kilowatt hour of the electricity that is used now. Absent while it is not known.",
    labels: &[],
};
const AGE: Family = Family {
    name: "nebula_carbon_intensity_age_seconds",
    help: "Seconds since the carbon intensity that is used began to hold; 0 for a constant.",
    labels: &[],
};

/// The grams of each function, added up as energy is settled: what is settled while the intensity is high stays dear when
/// it has fallen.
#[derive(Debug, Default)]
struct Sums {
    /// The energy that has been taken in, by function.
    seen: Vec<Microjoules>,
    /// What came with it.
    grams: Vec<f64>,
    /// Energy that was settled while the intensity was not known.
    without: Microjoules,
}

/// The grams of a daemon that measures.
pub struct CarbonAccount {
    carbon: Carbon,
    meter: Arc<EnergyMeter>,
    policy: Policy,
    sums: Mutex<Sums>,
}

/// Collects what is known about carbon.
pub struct CarbonCollector {
    carbon: Carbon,
    account: Option<Arc<CarbonAccount>>,
    labels: Arc<Labels>,
    stored: Arc<Stored>,
    polls: Counter,
}

impl Sums {
    /// Takes in what each function's energy is by now, at this many grams for a joule.
    fn advance(&mut self, energy: &[FunctionEnergy], policy: Policy, grams_per_joule: Option<f64>) {
        let count = self.seen.len().max(energy.len());
        self.seen.resize(count, Microjoules::ZERO);
        self.grams.resize(count, 0.0);
        for ((seen, grams), energy) in self.seen.iter_mut().zip(&mut self.grams).zip(energy) {
            let more = Microjoules(policy.counted(*energy).0.saturating_sub(seen.0));
            *seen += more;
            match grams_per_joule {
                Some(each) => *grams += more.joules().0 * each,
                None => self.without += more,
            }
        }
    }
}

impl CarbonAccount {
    /// Accounts for the energy that `meter` settles.
    #[must_use]
    pub fn new(carbon: Carbon, meter: Arc<EnergyMeter>, policy: Policy) -> Self {
        Self { carbon, meter, policy, sums: Mutex::default() }
    }

    /// Takes in what has been settled since the last time. To be called about every second.
    pub fn advance(&self) {
        let mut sums = self.sums.lock();
        // Under the lock: an older state of the ledger must not come after a newer one.
        sums.advance(&self.meter.energy_by_function(), self.policy, self.carbon.grams_per_joule());
    }
}

impl CarbonCollector {
    /// Collects from `carbon` and, where anything is measured, from its account; goes on from what was `stored` by earlier
    /// daemons.
    ///
    /// # Errors
    /// Never with the names in this file; a test pins them.
    pub fn new(
        carbon: Carbon,
        account: Option<Arc<CarbonAccount>>,
        labels: Arc<Labels>,
        stored: Arc<Stored>,
    ) -> prometheus::Result<Self> {
        let polls = Counter::new(
            "nebula_carbon_poll_failures_total",
            "Times that the endpoint of carbon.intensity was asked and told no carbon intensity.",
        )?;
        Ok(Self { carbon, account, labels, stored, polls })
    }

    fn of_functions(&self, account: &CarbonAccount) -> Vec<MetricFamily> {
        account.advance();
        let (grams, without) = {
            let sums = account.sums.lock();
            (sums.grams.clone(), sums.without)
        };
        let mut by_label = BTreeMap::<Arc<str>, f64>::new();
        for (name, [active, base]) in &self.stored.grams {
            let billionths = match account.policy {
                Policy::Active => *active,
                Policy::Usage => active + base,
            };
            *by_label.entry(self.labels.of_stored(name)).or_default() += billionths as f64 / 1e9;
        }
        for (id, grams) in (0..).map(FunctionId).zip(grams) {
            *by_label.entry(self.labels.of(id)).or_default() += grams;
        }
        let help = match account.policy {
            Policy::Active => {
                "Grams of CO2e by function: settled active energy (policy active), times the carbon intensity when it was \
                 settled, times the power usage effectiveness."
            }
            Policy::Usage => {
                "Grams of CO2e by function: settled active and base energy (policy usage), times the carbon intensity when \
                 it was settled, times the power usage effectiveness."
            }
        };
        let functions = Family { name: "nebula_function_carbon_grams_total", help, labels: &["function"] };
        let functions = functions.counters(by_label.iter().map(|(label, grams)| ([&**label], *grams)));
        vec![functions, UNKNOWN.counters([([], without.joules().0)])]
    }

    fn of_polls(&self) -> Vec<MetricFamily> {
        self.polls.inc_by((self.carbon.failures() as f64 - self.polls.get()).max(0.0));
        self.polls.collect()
    }

    fn of_intensity(&self) -> Option<Vec<MetricFamily>> {
        // What is not known is left out: a gauge of zero would be clean electricity.
        let intensity = self.carbon.intensity()?.ok()?;
        let since = intensity.since.and_then(|since| SystemTime::now().duration_since(since).ok());
        let age = since.unwrap_or_default().as_secs_f64();
        Some(vec![INTENSITY.gauges([([], intensity.figure.grams())]), AGE.gauges([([], age)])])
    }
}

impl Collector for CarbonCollector {
    fn desc(&self) -> Vec<&Desc> {
        // By this one the registry knows the collector.
        self.polls.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let functions = self.account.as_ref().map(|account| self.of_functions(account));
        functions.into_iter().chain(self.of_intensity()).flatten().chain(self.of_polls()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn energy(active: u64, base: u64) -> FunctionEnergy {
        FunctionEnergy { active: Microjoules(active), base: Microjoules(base) }
    }

    #[test]
    fn energy_is_worth_what_it_was_when_it_was_settled() {
        let mut sums = Sums::default();
        sums.advance(&[energy(1_000_000, 500_000)], Policy::Active, Some(2.0));
        sums.advance(&[energy(3_000_000, 900_000), energy(1_000_000, 0)], Policy::Active, Some(1.0));
        assert_eq!(sums.grams, [4.0, 1.0]);
        // Nothing new, whatever the rate.
        sums.advance(&[energy(3_000_000, 900_000), energy(1_000_000, 0)], Policy::Active, Some(9.0));
        assert_eq!((sums.grams, sums.without), (vec![4.0, 1.0], Microjoules::ZERO));
    }

    #[test]
    fn under_the_policy_usage_base_energy_counts() {
        let mut sums = Sums::default();
        sums.advance(&[energy(1_000_000, 500_000)], Policy::Usage, Some(2.0));
        assert_eq!(sums.grams, [3.0]);
    }

    #[test]
    fn energy_without_an_intensity_is_told_apart_and_never_found_again() {
        let mut sums = Sums::default();
        sums.advance(&[energy(1_000_000, 0)], Policy::Active, None);
        sums.advance(&[energy(1_500_000, 0)], Policy::Active, Some(2.0));
        assert_eq!((sums.grams, sums.without), (vec![1.0], Microjoules(1_000_000)));
    }

    #[test]
    fn a_function_that_is_gone_keeps_its_grams() {
        let mut sums = Sums::default();
        sums.advance(&[energy(1_000_000, 0), energy(2_000_000, 0)], Policy::Active, Some(1.0));
        sums.advance(&[energy(2_000_000, 0)], Policy::Active, Some(1.0));
        assert_eq!(sums.grams, [2.0, 2.0]);
    }
}
