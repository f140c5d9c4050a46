//! The figures of the daemon at one moment. All of them only grow while it runs.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use nebula_metering::{Accounts, FunctionEnergy, FunctionId, Uncertainty, Zone, ZoneReport};

use super::OTHER;
use crate::functions::Registry;
use crate::meter::Metering;
use crate::outcome::Outcome;

#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub zones: Vec<(ZoneKey, Accounts)>,
    /// Every version of a function that has an account, by the number of that account.
    pub functions: BTreeMap<FunctionId, FunctionReading>,
    /// Whether energy is measured.
    pub metered: bool,
}

/// A zone as one source reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneKey {
    pub source: &'static str,
    pub zone: Zone,
}

#[derive(Clone, Debug)]
pub struct FunctionReading {
    pub version: FunctionVersion,
    pub work: FunctionWork,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionVersion {
    pub name: Arc<str>,
    /// The digest of its content; empty for all versions together.
    pub version: Arc<str>,
}

impl FunctionVersion {
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into() }
    }

    pub(super) fn other() -> Self {
        Self::new(OTHER, "")
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FunctionWork {
    /// Calls by outcome, in the order of [`Outcome::ALL`].
    pub calls: [u64; Outcome::ALL.len()],
    /// First calls since it was loaded.
    pub cold_starts: u64,
    /// CPU time of its calls.
    pub cpu_nanos: u64,
    /// That of the active energy of its settled calls.
    pub uncertainty: Uncertainty,
}

impl FunctionWork {
    /// What has been added since `earlier`. CPU time is unknown once the meter has failed.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            calls: std::array::from_fn(|outcome| self.calls[outcome].saturating_sub(earlier.calls[outcome])),
            cold_starts: self.cold_starts.saturating_sub(earlier.cold_starts),
            cpu_nanos: self.cpu_nanos.saturating_sub(earlier.cpu_nanos),
            uncertainty: self.uncertainty.since(earlier.uncertainty),
        }
    }
}

impl AddAssign for FunctionWork {
    fn add_assign(&mut self, other: Self) {
        self.calls.iter_mut().zip(other.calls).for_each(|(sum, calls)| *sum += calls);
        self.cold_starts += other.cold_starts;
        self.cpu_nanos += other.cpu_nanos;
        self.uncertainty += other.uncertainty;
    }
}

impl Reading {
    /// The figures as they stand. The energies are of one moment.
    pub fn take(metering: &Metering, registry: &Registry) -> Self {
        let mut reading = Self::default();
        for (&id, revision) in registry.revisions().iter() {
            let work = FunctionWork {
                calls: revision.metrics.counted(),
                cold_starts: revision.was_called().into(),
                cpu_nanos: 0,
                uncertainty: revision.metrics.settled().uncertainty,
            };
            let version = FunctionVersion::new(revision.name.as_str(), &revision.version.to_string());
            reading.functions.insert(id, FunctionReading { version, work });
        }
        let Ok(snapshot) = metering.meter().and_then(|meter| meter.snapshot()) else { return reading };
        reading.metered = true;
        for (id, cpu) in &snapshot.function_cpu {
            let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
            reading.function(*id, registry).work.cpu_nanos = nanos;
        }
        for ZoneReport { source, zone, accounts, .. } in snapshot.zones {
            // Some were prepared and never called.
            for (id, energy) in (0..).map(FunctionId).zip(&accounts.functions) {
                if *energy != FunctionEnergy::default() {
                    reading.function(id, registry);
                }
            }
            reading.zones.push((ZoneKey { source: source.as_str(), zone }, accounts));
        }
        reading
    }

    /// The function of this account. If it is not in the registry, it is still being compiled or failed to compile: it has
    /// no calls, but compiling it was charged.
    fn function(&mut self, id: FunctionId, registry: &Registry) -> &mut FunctionReading {
        self.functions.entry(id).or_insert_with(|| {
            let version = match registry.version(id) {
                Some((name, version)) => FunctionVersion::new(name.as_str(), &version.to_string()),
                None => FunctionVersion::other(),
            };
            FunctionReading { version, work: FunctionWork::default() }
        })
    }
}
