//! RAPL read by the crate `rapl-energy`. A second opinion, not the first choice.
//!
//! **Licence.** The crate is licensed under the GPL, version 3. A binary built with the Cargo feature `rapl-energy`,
//! which is off by default, may only be distributed under the GPL.
//!
//! Prefer [powercap](super::powercap), because this crate:
//!
//! - reads only below `/sys`, in `class/powercap/intel-rapl` or `devices/virtual/powercap/intel-rapl`;
//! - counts zones in decimal and stops at the first missing number, so it finds none behind a gap and at most ten;
//! - panics if a file cannot be read or parsed, such as the empty constraint of some machines, and again at every
//!   reading after that. The panics are caught here: one makes all zones unread, and the library is set up again at
//!   most once a second. The panic hook still prints to stderr, since it belongs to the program.
//!
//! Source: `rapl-energy` 0.2.2, `src/lib.rs`.

#[cfg(panic = "abort")]
compile_error!("the feature `rapl-energy` needs unwinding panics, because its crate panics on a failed reading");

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use rapl_energy::Rapl;
use thiserror::Error;

use super::powercap::limits::{StatedPowers, quantum, watts, watts_max};
use super::powercap::mirror::same_register;
use super::powercap::zone_name::parse_zone_name;
use super::{ReadError, Source, SourceKind};
use crate::source::CounterSpec;
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::zone::{Domain, Zone};

/// Minimum time between two attempts to set up the library again.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// Where the library looks first. It does not say which file it failed to read.
const CLASS: &str = "/sys/class/powercap";

/// Why the library cannot be used.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenRaplEnergyError {
    /// The library found no readable package: there is none, or this process may not read it.
    #[error("`rapl-energy` finds no package that it can read below `{CLASS}`")]
    NoPackage,
    /// The library panicked.
    #[error("`rapl-energy` panicked: {message}")]
    Panicked { message: String },
    /// There are zones, but none for a package or memory, so nothing can be added up.
    #[error("`rapl-energy` finds neither a package nor memory below `{CLASS}`")]
    NoAdditiveZone,
}

struct Shown {
    zone: Zone,
    energy: Microjoules,
    range: Option<Microjoules>,
    watts_max: Watts,
}

/// The zones that the library finds.
pub struct RaplEnergy {
    /// `None` after a panic.
    rapl: Option<Rapl>,
    specs: Vec<CounterSpec>,
    next_search: Duration,
}

impl RaplEnergy {
    /// Sets up the library, which finds the zones below `/sys`.
    ///
    /// When it finds no zone of a package or memory.
    pub fn open() -> Result<Self, OpenRaplEnergyError> {
        let rapl = set_up()?;
        let mut specs: Vec<CounterSpec> = Vec::new();
        for shown in shown(&rapl) {
            if specs.iter().all(|known| known.zone != shown.zone) {
                specs.push(spec(shown));
            }
        }
        if specs.iter().any(|spec| spec.zone.is_additive()) {
            Ok(Self { rapl: Some(rapl), specs, next_search: Duration::ZERO })
        } else {
            Err(OpenRaplEnergyError::NoAdditiveZone)
        }
    }

    /// Sets up the library again after a panic, unless the last attempt was less than [`SEARCH_INTERVAL`] ago.
    fn search(&mut self, moment: &Moment) {
        if self.rapl.is_none() && moment.monotonic >= self.next_search {
            self.next_search = moment.monotonic.saturating_add(SEARCH_INTERVAL);
            self.rapl = set_up().ok();
        }
    }
}

fn set_up() -> Result<Rapl, OpenRaplEnergyError> {
    match catch_unwind(|| Rapl::new(true)) {
        Ok(rapl) => rapl.ok_or(OpenRaplEnergyError::NoPackage),
        Err(panic) => Err(OpenRaplEnergyError::Panicked { message: message(&*panic) }),
    }
}

impl Source for RaplEnergy {
    fn kind(&self) -> SourceKind {
        SourceKind::RaplEnergy
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.specs
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        self.search(moment);
        let Some(rapl) = &mut self.rapl else {
            readings.extend(self.specs.iter().map(|_| Err(ReadError::ZoneGone)));
            return;
        };
        // State that a panic left half done is dropped.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| rapl.reset())) {
            let error = || io::Error::other(message(&*panic));
            let unread = || ReadError::ReadCounter { path: Path::new(CLASS).to_owned(), source: error() };
            readings.extend(self.specs.iter().map(|_| Err(unread())));
            self.rapl = None;
            return;
        }
        let shown = shown(rapl);
        readings.extend(self.specs.iter().map(|spec| {
            let same = shown.iter().find(|shown| shown.zone == spec.zone && shown.range == spec.range);
            same.map(|shown| shown.energy).ok_or(ReadError::ZoneGone)
        }));
    }

    fn describe(&self) -> String {
        let named = |additive| {
            let those = self.specs.iter().filter(|spec| spec.zone.is_additive() == additive);
            those.map(|spec| spec.zone.to_string()).collect::<Vec<_>>().join(", ")
        };
        match named(false) {
            shown if shown.is_empty() => format!("rapl-energy: {} (added)", named(true)),
            shown => format!("rapl-energy: {} (added); {shown} (shown only)", named(true)),
        }
    }
}

/// The zones with their last readings. A die that may repeat the counter of another, which the library does not detect,
/// gets a name that is not added.
fn shown(rapl: &Rapl) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for package in &rapl.packages {
        let Some(zone) = parse_zone_name(&package.name, None) else { continue };
        let constraints = package.constraints.iter().map(|stated| (stated.max_power_uw, stated.power_limit_uw));
        let energy = (package.package_energy_uj, package.max_energy_range_uj);
        push(&mut all, zone.clone(), energy, constraints);
        for subzone in &package.subzones {
            // The library joins the two names.
            let name = subzone.name.strip_prefix(&package.name).and_then(|name| name.strip_prefix('-'));
            let Some(inside) = name.and_then(|name| parse_zone_name(name, Some(&zone))) else { continue };
            let constraints = subzone.constraints.iter().map(|stated| (stated.max_power_uw, stated.power_limit_uw));
            push(&mut all, inside, (subzone.energy_uj, subzone.max_energy_range_uj), constraints);
        }
    }
    all
}

fn push(
    all: &mut Vec<Shown>,
    zone: Zone,
    (energy, range): (u64, u64),
    constraints: impl Iterator<Item = (Option<u64>, u64)> + Clone,
) {
    let maxima = constraints.clone().filter_map(|(max, _)| max.map(watts)).collect();
    let limits = constraints.map(|(_, limit)| watts(limit)).collect();
    let watts_max = watts_max(&zone.domain, &StatedPowers { maxima, limits });
    let repeats = zone.is_additive() && all.iter().any(|known| known.zone != zone && same_register(&known.zone, &zone));
    let zone =
        if repeats { Zone::new(Domain::Other(format!("die-{}", zone.domain).into()), &zone.package) } else { zone };
    let range = Some(Microjoules(range)).filter(|range| range.0 > 0);
    all.push(Shown { zone, energy: Microjoules(energy), range, watts_max });
}

fn spec(Shown { zone, range, watts_max, .. }: Shown) -> CounterSpec {
    CounterSpec {
        source: SourceKind::RaplEnergy,
        zone,
        range,
        watts_max,
        quantum: quantum(range),
        relative_error: 0.0,
        base: None,
        stated: None,
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
