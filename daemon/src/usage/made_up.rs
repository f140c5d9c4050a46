//! A daemon for tests: its ledger is the real one, and the tests say what happens.

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, Consumers, Domain, FunctionId, Microjoules, Purpose, Weights, Zone};

use super::reading::{FunctionReading, FunctionVersion, FunctionWork, Reading, ZoneReading};

#[derive(Clone, Debug)]
pub struct MadeUp {
    pub reading: Reading,
}

impl MadeUp {
    /// It measures a package, memory, and the cores in the package, and serves these versions.
    pub fn new(source: SourceKind, versions: &[(&str, &str)]) -> Self {
        let zone = |domain| ZoneReading { source, zone: Zone::new(domain, "0"), accounts: Accounts::default() };
        let function = |(id, (name, version)): (u32, &(&str, &str))| FunctionReading {
            id: FunctionId(id),
            version: FunctionVersion::new(name, version),
            work: FunctionWork::default(),
        };
        let reading = Reading {
            zones: [Domain::Package, Domain::Dram, Domain::Core].map(zone).into(),
            functions: (0..).zip(versions).map(function).collect(),
            metered: true,
        };
        Self { reading }
    }

    /// Adds a window with this energy of each zone and this CPU time of a function, the runtime and the host.
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

    pub fn calls(&mut self, function: u32, outcome: crate::outcome::Outcome, count: u64) {
        let work = &mut self.reading.functions[function as usize].work;
        work.calls[outcome as usize] += count;
        work.cold_starts = work.cold_starts.max(1);
    }

    /// What each zone has used.
    pub fn totals(&self) -> [u64; 3] {
        std::array::from_fn(|zone| self.reading.zones[zone].accounts.total.0)
    }
}
