//! The accounts as metrics: the exact ledger, on top of what earlier daemons stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nebula_metering::{FunctionEnergy, FunctionId, Microjoules, ZoneReport};

use super::collector::Metric;
use super::metrics::{Labels, Metrics};
use super::stored::Stored;
use crate::meter::{EnergyMeter, OFF, Off, Snapshot, SourceNow};

const METRICS: &[Metric<Energy>] = &[
    Metric::counter(
        "nebula_function_energy_joules_total",
        "Settled energy in joules, by function. active: caused by its calls. preparing: compiling, linking and loading it. Together they are the function's account. base: its share, by CPU time, of the account base.",
        &["function", "zone", "component", "source"],
        |energy, samples| samples.add_joules(&energy.functions),
    ),
    Metric::counter(
        "nebula_account_energy_joules_total",
        "Settled energy in joules, by account. function: all calls, and preparing functions. runtime: the daemon except its calls. host: everything else on the machine. base: what the machine draws when idle. gap: counted, but outside every window.",
        &["account", "zone", "source"],
        |energy, samples| samples.add_joules(&energy.accounts),
    ),
    Metric::counter(
        "nebula_zone_energy_joules_total",
        "Energy in joules of the zones that add up, as the source counted it. Equals the sum of the accounts.",
        &["zone", "package", "source"],
        |energy, samples| samples.add_joules(&energy.zones),
    ),
    Metric::counter(
        "nebula_observed_energy_joules_total",
        "Energy in joules of zones inside other zones or overlapping them. Do not add it to nebula_zone_energy_joules_total.",
        &["zone", "package", "source"],
        |energy, samples| samples.add_joules(&energy.observed),
    ),
    Metric::counter(
        "nebula_function_cpu_seconds_total",
        "CPU time in seconds of a function's calls.",
        &["function"],
        |energy, samples| energy.cpu.iter().for_each(|(label, time)| samples.add(&[label], time.as_secs_f64())),
    ),
    Metric::gauge(
        "nebula_window_seconds",
        "Seconds between two readings of the energy source.",
        &[],
        |energy, samples| samples.set(energy.window.as_secs_f64()),
    ),
    Metric::counter(
        "nebula_gap_seconds_total",
        "Seconds without energy from a zone that counts, by reason.",
        &["reason"],
        |energy, samples| {
            energy.now.gaps.iter().for_each(|(reason, time)| samples.add(&[reason.as_str()], time.as_secs_f64()));
        },
    ),
    Metric::counter(
        "nebula_meter_cpu_seconds_total",
        "CPU time in seconds of the thread that reads the energy source and keeps the accounts.",
        &[],
        |energy, samples| samples.set(energy.now.own_cost.cpu().as_secs_f64()),
    ),
    Metric::counter(
        "nebula_postings_dropped_total",
        "Slices and ends of calls dropped because the queue to the meter was full. Their energy went to the account runtime.",
        &[],
        |energy, samples| samples.set(energy.now.postings_dropped as f64),
    ),
];

const SOURCE: &[Metric<Source>] = &[Metric::gauge(
    "nebula_energy_source_info",
    "The energy source in use (always 1), whether it measures, and why it was chosen.",
    &["source", "measured", "reason"],
    |Source { name, measured, reason }, samples| {
        samples.add(&[*name, if *measured { "true" } else { "false" }, reason], 1.0);
    },
)];

struct Source {
    name: &'static str,
    measured: bool,
    reason: String,
}

impl Source {
    fn none(off: Off) -> Self {
        Self { name: OFF, measured: false, reason: off.to_string() }
    }
}

/// The accounts at one moment, with what earlier daemons stored. Integers, so that nothing is rounded before it is added.
struct Energy {
    functions: BTreeMap<[Box<str>; 4], Microjoules>,
    accounts: BTreeMap<[Box<str>; 3], Microjoules>,
    zones: BTreeMap<[Box<str>; 3], Microjoules>,
    observed: BTreeMap<[Box<str>; 3], Microjoules>,
    cpu: BTreeMap<Arc<str>, Duration>,
    now: Snapshot,
    window: Duration,
}

/// Shows the energy that `meter` measures, on top of what earlier daemons `stored`.
pub fn register_energy(metrics: &Metrics, meter: Arc<EnergyMeter>, stored: Arc<Stored>) -> prometheus::Result<()> {
    let (labels, metered) = (metrics.labels.clone(), meter.clone());
    metrics.register_optional_table(METRICS, move || Energy::take(&metered, &labels, &stored).ok())?;
    metrics.register_table(SOURCE, move || match meter.source() {
        Ok(SourceNow { kind, reason, .. }) => Source { name: kind.as_str(), measured: kind.is_measured(), reason },
        Err(off) => Source::none(off),
    })
}

/// Shows that nothing is measured.
pub fn register_no_energy(metrics: &Metrics, off: Off) -> prometheus::Result<()> {
    metrics.register_table(SOURCE, move || Source::none(off))
}

impl Energy {
    fn take(meter: &EnergyMeter, labels: &Labels, stored: &Stored) -> Result<Self, Off> {
        let mut energy = Self {
            functions: BTreeMap::new(),
            accounts: stored.accounts.clone(),
            zones: stored.zones.clone(),
            observed: stored.observed.clone(),
            cpu: BTreeMap::new(),
            now: meter.snapshot()?,
            window: meter.window(),
        };
        for ([name, domain, kind], stored) in &stored.functions {
            add_function(&mut energy.functions, [&labels.of_name(name), domain, kind], *stored);
        }
        for ZoneReport { source, zone, accounts, .. } in &energy.now.zones {
            let kind = source.as_str();
            let domain = zone.domain.to_string();
            let zones = if zone.is_additive() { &mut energy.zones } else { &mut energy.observed };
            add(zones, [&domain, &zone.package, kind], accounts.total);
            if !zone.is_additive() {
                continue;
            }
            for (name, charged) in accounts.named() {
                add(&mut energy.accounts, [name, &domain, kind], charged);
            }
            for (id, charged) in (0..).map(FunctionId).zip(&accounts.functions) {
                add_function(&mut energy.functions, [&labels.of(id), &domain, kind], *charged);
            }
        }
        for (name, time) in &stored.cpu {
            *energy.cpu.entry(labels.of_name(name)).or_default() += *time;
        }
        for (function, time) in &energy.now.function_cpu {
            *energy.cpu.entry(labels.of(*function)).or_default() += *time;
        }
        Ok(energy)
    }
}

fn add_function(
    sums: &mut BTreeMap<[Box<str>; 4], Microjoules>,
    [label, domain, kind]: [&str; 3],
    energy: FunctionEnergy,
) {
    add(sums, [label, domain, "active", kind], energy.active);
    add(sums, [label, domain, "preparing", kind], energy.preparing);
    add(sums, [label, domain, "base", kind], energy.base);
}

fn add<const N: usize>(sums: &mut BTreeMap<[Box<str>; N], Microjoules>, labels: [&str; N], energy: Microjoules) {
    *sums.entry(labels.map(Box::from)).or_default() += energy;
}
