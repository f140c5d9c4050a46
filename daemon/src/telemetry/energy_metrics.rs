//! The accounts as metrics, made from the exact ledger whenever they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nebula_metering::{FunctionId, Microjoules, ZoneReport};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use super::families::Family;
use super::metrics::Labels;
use super::stored::Stored;
use crate::meter::{EnergyMeter, OFF, Off, SourceNow};

const FUNCTION_ENERGY: Family = Family {
    name: "nebula_function_energy_joules_total",
    help: "Settled energy in joules, by function: active is what its calls caused (its account), base its share by CPU time of the account base.",
    labels: &["function", "zone", "component", "source"],
};
const ACCOUNT_ENERGY: Family = Family {
    name: "nebula_account_energy_joules_total",
    help: "Settled energy in joules, by account: function (all calls), runtime (the daemon less its calls), host (everything else that ran), base (what is drawn when nothing runs), gap (trusted, but of no window).",
    labels: &["account", "zone", "source"],
};
const ZONE_ENERGY: Family = Family {
    name: "nebula_zone_energy_joules_total",
    help: "Energy in joules of the zones that may be added, as the source counted it. Equals the sum of the accounts.",
    labels: &["zone", "package", "source"],
};
const OBSERVED_ENERGY: Family = Family {
    name: "nebula_observed_energy_joules_total",
    help: "Energy in joules of zones that lie inside others or overlap with them. Shown, never added.",
    labels: &["zone", "package", "source"],
};
const FUNCTION_CPU: Family = Family {
    name: "nebula_function_cpu_seconds_total",
    help: "CPU time of the calls of a function in seconds.",
    labels: &["function"],
};
const SOURCE_INFO: Family = Family {
    name: "nebula_energy_source_info",
    help: "Where joules come from (1), whether they are measured or modelled, and why this source is read.",
    labels: &["source", "measured", "reason"],
};
const WINDOW: Family =
    Family { name: "nebula_window_seconds", help: "Seconds between two readings of the energy source.", labels: &[] };
const GAPS: Family = Family {
    name: "nebula_gap_seconds_total",
    help: "Seconds in which a zone that counts had no energy of its own, by reason.",
    labels: &["reason"],
};
const METER_CPU: Family = Family {
    name: "nebula_meter_cpu_seconds_total",
    help: "CPU time in seconds of the thread that reads the energy source and keeps the accounts.",
    labels: &[],
};
const DROPPED: Family = Family {
    name: "nebula_postings_dropped_total",
    help: "Slices and ends of calls that found the queue to the meter full. Their energy went to the account runtime.",
    labels: &[],
};

const FAMILIES: [Family; 10] = [
    FUNCTION_ENERGY,
    ACCOUNT_ENERGY,
    ZONE_ENERGY,
    OBSERVED_ENERGY,
    FUNCTION_CPU,
    SOURCE_INFO,
    WINDOW,
    GAPS,
    METER_CPU,
    DROPPED,
];

/// Collects the energy of everything.
pub struct EnergyCollector {
    meter: Arc<EnergyMeter>,
    labels: Arc<Labels>,
    stored: Arc<Stored>,
    /// By which a registry tells collectors apart.
    descs: Vec<Desc>,
}

impl EnergyCollector {
    /// Collects from `meter`, and goes on from what was `stored` by earlier daemons.
    ///
    /// # Errors
    /// Never with the names in this file; a test pins them.
    pub fn new(meter: Arc<EnergyMeter>, labels: Arc<Labels>, stored: Arc<Stored>) -> prometheus::Result<Self> {
        let descs = FAMILIES.iter().map(Family::desc).collect::<prometheus::Result<_>>()?;
        Ok(Self { meter, labels, stored, descs })
    }
}

/// What is collected where nothing is measured: that it is so.
///
/// # Errors
/// Never with the names in this file; a test pins them.
pub fn no_energy(off: Off) -> prometheus::Result<GaugeVec> {
    let info = GaugeVec::new(Opts::new(SOURCE_INFO.name, SOURCE_INFO.help), SOURCE_INFO.labels)?;
    info.with_label_values(&[OFF, "false", &off.to_string()]).set(1.0);
    Ok(info)
}

/// Adds up integers before anything becomes a floating-point number.
type Sums<const LABELS: usize> = BTreeMap<[Box<str>; LABELS], Microjoules>;

fn add<const LABELS: usize>(sums: &mut Sums<LABELS>, labels: [&str; LABELS], energy: Microjoules) {
    *sums.entry(labels.map(Box::from)).or_default() += energy;
}

impl Collector for EnergyCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.meter.snapshot();
        let Stored { accounts, zones, observed, .. } = &*self.stored;
        let (mut functions, mut accounts, mut zones, mut observed) =
            (Sums::new(), accounts.clone(), zones.clone(), observed.clone());
        for ([name, domain, kind], energy) in &self.stored.functions {
            let label = self.labels.of_stored(name);
            add(&mut functions, [&label, domain, "active", kind], energy.active);
            add(&mut functions, [&label, domain, "base", kind], energy.base);
        }
        for ZoneReport { source, zone, accounts: account, .. } in &snapshot.zones {
            let kind = source.as_str();
            let domain = zone.domain.to_string();
            let labels = [domain.as_str(), &zone.package, kind];
            if !zone.is_additive() {
                add(&mut observed, labels, account.total);
                continue;
            }
            add(&mut zones, labels, account.total);
            for (name, energy) in account.named() {
                add(&mut accounts, [name, &domain, kind], energy);
            }
            for (id, energy) in (0..).map(FunctionId).zip(&account.functions) {
                let label = self.labels.of(id);
                add(&mut functions, [&label, &domain, "active", kind], energy.active);
                add(&mut functions, [&label, &domain, "base", kind], energy.base);
            }
        }
        let mut cpu = BTreeMap::<Arc<str>, Duration>::new();
        for (name, time) in &self.stored.cpu {
            *cpu.entry(self.labels.of_stored(name)).or_default() += *time;
        }
        for (function, time) in &snapshot.function_cpu {
            *cpu.entry(self.labels.of(*function)).or_default() += *time;
        }
        let SourceNow { kind, reason, .. } = &snapshot.source;
        let measured = if kind.is_measured() { "true" } else { "false" };
        let gaps = snapshot.gaps.iter().map(|(reason, time)| ([reason.as_str()], time.as_secs_f64()));
        vec![
            FUNCTION_ENERGY.counters(joules(&functions)),
            ACCOUNT_ENERGY.counters(joules(&accounts)),
            ZONE_ENERGY.counters(joules(&zones)),
            OBSERVED_ENERGY.counters(joules(&observed)),
            FUNCTION_CPU.counters(cpu.iter().map(|(label, time)| ([&**label], time.as_secs_f64()))),
            SOURCE_INFO.gauges([([kind.as_str(), measured, reason], 1.0)]),
            WINDOW.gauges([([], self.meter.window().as_secs_f64())]),
            GAPS.counters(gaps),
            METER_CPU.counters([([], snapshot.own_cost.cpu().as_secs_f64())]),
            DROPPED.counters([([], snapshot.postings_dropped as f64)]),
        ]
    }
}

fn joules<const LABELS: usize>(sums: &Sums<LABELS>) -> impl Iterator<Item = ([&str; LABELS], f64)> {
    sums.iter().map(|(labels, energy)| (labels.each_ref().map(AsRef::as_ref), energy.joules().0))
}
