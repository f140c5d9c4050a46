//! The figures of the daemon at one moment. All of them only grow while it runs.

use std::sync::Arc;

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, FunctionEnergy, FunctionId, Zone, ZoneReport};

use super::OTHER;
use crate::functions::Registry;
use crate::meter::Metering;
use crate::outcome::Outcome;

#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub zones: Vec<ZoneReading>,
    /// Every version of a function that has an account, in the order of their ids.
    pub functions: Vec<FunctionReading>,
    /// Whether energy is measured.
    pub metered: bool,
}

#[derive(Clone, Debug)]
pub struct ZoneReading {
    pub source: SourceKind,
    pub zone: Zone,
    pub accounts: Accounts,
}

#[derive(Clone, Debug)]
pub struct FunctionReading {
    /// Its account in every zone.
    pub id: FunctionId,
    pub version: FunctionVersion,
    pub work: FunctionWork,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionVersion {
    pub name: Arc<str>,
    /// The digest of its content; empty if versions are not told apart.
    pub version: Arc<str>,
}

impl FunctionVersion {
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into() }
    }

    pub(super) fn other() -> Self {
        Self::new(OTHER, "")
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionWork {
    /// Calls by outcome, in the order of [`Outcome::ALL`].
    pub calls: [u64; Outcome::ALL.len()],
    /// First calls since it was loaded.
    pub cold_starts: u64,
    /// CPU time of its calls.
    pub cpu_nanos: u64,
}

impl FunctionWork {
    /// Both combined, figure by figure.
    pub(super) fn each(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            calls: std::array::from_fn(|outcome| with(self.calls[outcome], other.calls[outcome])),
            cold_starts: with(self.cold_starts, other.cold_starts),
            cpu_nanos: with(self.cpu_nanos, other.cpu_nanos),
        }
    }
}

impl Reading {
    /// The figures as they stand. The energies are of one moment.
    #[must_use]
    pub fn take(metering: &Metering, registry: &Registry) -> Self {
        let mut reading = Self::default();
        // In the order of their accounts.
        for (&id, revision) in registry.revisions().iter() {
            let work = FunctionWork {
                calls: revision.metrics.counted(),
                cold_starts: revision.was_called().into(),
                cpu_nanos: 0,
            };
            let version = FunctionVersion::new(revision.name.as_str(), &revision.version.to_string());
            reading.functions.push(FunctionReading { id, version, work });
        }
        let Ok(snapshot) = metering.meter().and_then(|meter| meter.snapshot()) else { return reading };
        reading.metered = true;
        for (id, cpu) in &snapshot.function_cpu {
            let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
            reading.of(*id, registry).work.cpu_nanos = nanos;
        }
        // Some were prepared and never called.
        for (id, energy) in snapshot.zones.iter().flat_map(|zone| (0..).map(FunctionId).zip(&zone.accounts.functions)) {
            if *energy != FunctionEnergy::default() {
                reading.of(id, registry);
            }
        }
        let zone = |zone: ZoneReport| ZoneReading { source: zone.source, zone: zone.zone, accounts: zone.accounts };
        reading.zones = snapshot.zones.into_iter().map(zone).collect();
        reading
    }

    /// The function of this account. One that is not served, as long as it is compiled or where it cannot be, has done no
    /// call, and compiling is charged to it all the same.
    fn of(&mut self, id: FunctionId, registry: &Registry) -> &mut FunctionReading {
        let place = self.functions.binary_search_by_key(&id, |function| function.id).unwrap_or_else(|place| {
            let version = match registry.version(id) {
                Some((name, version)) => FunctionVersion::new(name.as_str(), &version.to_string()),
                None => FunctionVersion::other(),
            };
            self.functions.insert(place, FunctionReading { id, version, work: FunctionWork::default() });
            place
        });
        &mut self.functions[place]
    }

    #[must_use]
    pub fn find(&self, id: FunctionId) -> Option<&FunctionReading> {
        let place = self.functions.binary_search_by_key(&id, |function| function.id).ok()?;
        self.functions.get(place)
    }
}
