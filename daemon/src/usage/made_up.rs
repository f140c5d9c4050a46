//! A daemon that is made up: its ledger is the real one, what happens is for tests to say.

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, Consumers, Domain, FunctionId, Microjoules, Purpose, Weights, Zone};

use super::reading::{FunctionReading, FunctionVersion, Reading, Work, ZoneReading};

/// A daemon, from its start.
#[derive(Clone, Debug)]
pub struct MadeUp {
    pub reading: Reading,
}

impl MadeUp {
    /// One that measures a package, memory, and cores within the package, and serves these versions.
    pub fn new(source: SourceKind, versions: &[(&str, &str)]) -> Self {
        let zone = |domain| ZoneReading { source, zone: Zone::new(domain, "0"), accounts: Accounts::default() };
        let function = |(id, (name, version)): (u32, &(&str, &str))| FunctionReading {
            id: FunctionId(id),
            version: FunctionVersion::new(name, version),
            work: Work::default(),
        };
        let reading = Reading {
            zones: [Domain::Package, Domain::Dram, Domain::Core].map(zone).into(),
            functions: (0..).zip(versions).map(function).collect(),
            metered: true,
        };
        Self { reading }
    }

    /// A window in which each zone used so much, and a function, the runtime and the host ran for so long.
    pub fn window(&mut self, microjoules: [u64; 3], function: u32, cpu: [u64; 3]) {
        self.window_for(Purpose::Call, microjoules, function, cpu);
        self.reading.functions[function as usize].work.cpu_nanos += cpu[0];
    }

    /// The same, in which the function was prepared instead of called.
    pub fn preparing(&mut self, microjoules: [u64; 3], function: u32, cpu: [u64; 3]) {
        self.window_for(Purpose::Preparing, microjoules, function, cpu);
    }

    fn window_for(&mut self, purpose: Purpose, microjoules: [u64; 3], function: u32, cpu: [u64; 3]) {
        let consumers =
            Consumers { functions: vec![(FunctionId(function), purpose, cpu[0])], runtime: cpu[1], host: cpu[2] };
        for (zone, energy) in self.reading.zones.iter_mut().zip(microjoules.map(Microjoules)) {
            if zone.zone.is_additive() {
                zone.accounts.book(energy, Microjoules(energy.0 / 3), &consumers, &Weights::default());
            } else {
                zone.accounts.book_observed(energy);
            }
        }
    }

    /// Calls of a function, by how they ended.
    pub fn calls(&mut self, function: u32, outcome: crate::outcome::Outcome, count: u64) {
        let work = &mut self.reading.functions[function as usize].work;
        work.calls[outcome as usize] += count;
        work.cold_starts = work.cold_starts.max(1);
    }

    /// What all zones that may be added have used, and the others.
    pub fn totals(&self) -> [u64; 3] {
        std::array::from_fn(|zone| self.reading.zones[zone].accounts.total.0)
    }
}
