//! Grams of CO2e as metrics: settled energy, times the carbon intensity of the second in which it was settled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use nebula_metering::{FunctionEnergy, FunctionId, Microjoules};
use parking_lot::Mutex;

use super::collector::Metric;
use super::metrics::{Labels, Metrics};
use super::stored::Stored;
use crate::carbon::{Carbon, Intensity};
use crate::meter::EnergyMeter;
use crate::units::{BILLIONTHS, Policy};

const GRAMS_ACTIVE: &[Metric<Grams>] = &grams(
    "Grams of CO2e, by function: settled active and preparing energy (policy active), times the carbon intensity at \
     settlement, times the power usage effectiveness.",
);
const GRAMS_USAGE: &[Metric<Grams>] = &grams(
    "Grams of CO2e, by function: settled active, preparing and base energy (policy usage), times the carbon intensity at \
     settlement, times the power usage effectiveness.",
);

const fn grams(help: &'static str) -> [Metric<Grams>; 2] {
    [
        Metric::counter("nebula_function_carbon_grams_total", help, &["function"], |grams, samples| {
            grams.by_label.iter().for_each(|(label, grams)| samples.add(&[label], *grams));
        }),
        Metric::counter(
            "nebula_carbon_unknown_joules_total",
            "Settled energy of functions in joules that nebula_function_carbon_grams_total leaves out because the carbon \
             intensity was not known at settlement.",
            &[],
            |grams, samples| samples.set(grams.without.joules().0),
        ),
    ]
}

const INTENSITY: &[Metric<Carbon>] = &[
    // An intensity that is not known is left out: a gauge of zero would be clean electricity.
    Metric::gauge(
        "nebula_carbon_intensity_grams_per_kilowatt_hour",
        "Carbon intensity of the electricity in use, in grams of CO2e per kilowatt hour. Absent while not known.",
        &[],
        |carbon, samples| known(carbon).iter().for_each(|intensity| samples.set(intensity.figure.grams())),
    ),
    Metric::gauge(
        "nebula_carbon_intensity_age_seconds",
        "Seconds since the carbon intensity in use took effect; 0 for a constant.",
        &[],
        |carbon, samples| {
            let age = |since: SystemTime| SystemTime::now().duration_since(since).unwrap_or_default().as_secs_f64();
            if let Some(intensity) = known(carbon) {
                samples.set(intensity.since.map_or(0.0, age));
            }
        },
    ),
    Metric::counter(
        "nebula_carbon_poll_failures_total",
        "Failed requests to the endpoint of carbon.intensity.",
        &[],
        |carbon, samples| samples.set(carbon.failures() as f64),
    ),
];

fn known(carbon: &Carbon) -> Option<Intensity> {
    carbon.intensity()?.ok()
}

/// The grams of all functions at one moment.
struct Grams {
    by_label: BTreeMap<Arc<str>, f64>,
    /// Energy that was settled while the intensity was not known.
    without: Microjoules,
}

/// The grams of each function, added up as energy is settled: energy that is settled while the intensity is high stays
/// expensive when the intensity has fallen.
#[derive(Debug, Default)]
struct Sums {
    /// The energy of each function that was counted so far, and its grams.
    functions: Vec<(Microjoules, f64)>,
    /// Energy that was settled while the intensity was not known.
    without: Microjoules,
}

/// Turns the energy that a meter settles into grams.
pub struct CarbonAccount {
    carbon: Carbon,
    meter: Arc<EnergyMeter>,
    policy: Policy,
    sums: Mutex<Sums>,
}

impl Sums {
    /// Counts what each function's energy has grown to, at this many grams for a joule.
    fn advance(&mut self, energy: &[FunctionEnergy], policy: Policy, grams_per_joule: Option<f64>) {
        let count = self.functions.len().max(energy.len());
        self.functions.resize(count, (Microjoules::ZERO, 0.0));
        for ((seen, grams), energy) in self.functions.iter_mut().zip(energy) {
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
    pub fn new(carbon: Carbon, meter: Arc<EnergyMeter>, policy: Policy) -> Self {
        Self { carbon, meter, policy, sums: Mutex::default() }
    }

    /// Counts what has been settled since the last time. To be called about every second.
    pub fn advance(&self) {
        let mut sums = self.sums.lock();
        // Under the lock: an older state of the ledger must not come after a newer one.
        if let Ok(energy) = self.meter.energy_by_function() {
            sums.advance(&energy, self.policy, self.carbon.grams_per_joule());
        }
    }

    /// The grams of each function, on top of what earlier daemons stored.
    fn grams(&self, labels: &Labels, stored: &Stored) -> Grams {
        self.advance();
        let (own, without) = {
            let sums = self.sums.lock();
            (sums.functions.clone(), sums.without)
        };
        let mut by_label = BTreeMap::<Arc<str>, f64>::new();
        for (name, [active, preparing, base]) in &stored.grams {
            let billionths = self.policy.of(active + preparing, *base);
            *by_label.entry(labels.of_name(name)).or_default() += billionths as f64 / BILLIONTHS;
        }
        for (id, (_, own)) in (0..).map(FunctionId).zip(own) {
            *by_label.entry(labels.of(id)).or_default() += own;
        }
        Grams { by_label, without }
    }
}

/// Shows what is known of carbon, and where energy is measured also the grams of each function.
pub fn register_carbon(
    metrics: &Metrics,
    carbon: Carbon,
    account: Option<Arc<CarbonAccount>>,
    stored: Arc<Stored>,
) -> prometheus::Result<()> {
    metrics.register_table(INTENSITY, move || carbon.clone())?;
    let Some(account) = account else { return Ok(()) };
    let labels = metrics.labels.clone();
    let table = match account.policy {
        Policy::Active => GRAMS_ACTIVE,
        Policy::Usage => GRAMS_USAGE,
    };
    metrics.register_table(table, move || account.grams(&labels, &stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The active and base energy of each function, and the grams of a joule at that time.
    type Step<'a> = (&'a [(u64, u64)], Option<f64>);

    fn after(policy: Policy, steps: &[Step<'_>]) -> (Vec<f64>, Microjoules) {
        let mut sums = Sums::default();
        for (functions, rate) in steps {
            let energy = |&(active, base): &(u64, u64)| FunctionEnergy {
                active: Microjoules(active),
                base: Microjoules(base),
                ..FunctionEnergy::default()
            };
            sums.advance(&functions.iter().map(energy).collect::<Vec<_>>(), policy, *rate);
        }
        (sums.functions.into_iter().map(|(_, grams)| grams).collect(), sums.without)
    }

    #[test]
    fn energy_is_worth_what_it_was_when_it_was_settled() {
        const LATER: &[(u64, u64)] = &[(3_000_000, 900_000), (1_000_000, 0)];
        let steps = [(&[(1_000_000, 500_000)][..], Some(2.0)), (LATER, Some(1.0)), (LATER, Some(9.0))];
        assert_eq!(after(Policy::Active, &steps), (vec![4.0, 1.0], Microjoules::ZERO));
        assert_eq!(after(Policy::Usage, &steps[..1]), (vec![3.0], Microjoules::ZERO), "base energy counts");
    }

    #[test]
    fn energy_that_was_settled_without_an_intensity_never_becomes_grams() {
        let steps = [(&[(1_000_000, 0)][..], None), (&[(1_500_000, 0)], Some(2.0))];
        assert_eq!(after(Policy::Active, &steps), (vec![1.0], Microjoules(1_000_000)));
    }

    #[test]
    fn a_function_that_is_gone_keeps_its_grams() {
        let steps = [(&[(1_000_000, 0), (2_000_000, 0)][..], Some(1.0)), (&[(2_000_000, 0)], Some(1.0))];
        assert_eq!(after(Policy::Active, &steps).0, [2.0, 2.0]);
    }
}
