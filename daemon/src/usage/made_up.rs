//! A daemon for tests: its ledger is the real one, and the tests say what happens.

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, Consumers, Domain, FunctionId, Microjoules, Purpose, Uncertainty, Weights, Zone};

use super::Hour;
use super::pending::{EnergyRate, Pending};
use super::reading::{FunctionReading, FunctionVersion, FunctionWork, Reading, ZoneKey};

#[derive(Clone, Debug)]
pub struct MadeUp {
    pub reading: Reading,
}

impl MadeUp {
    /// It measures a package, memory, and the cores in the package, and serves these versions.
    pub fn new(source: SourceKind, versions: &[(&str, &str)]) -> Self {
        let zone = |domain| (ZoneKey { source: source.as_str(), zone: Zone::new(domain, "0") }, Accounts::default());
        let function = |(id, (name, version)): (u32, &(&str, &str))| {
            let version = FunctionVersion::new(name, version);
            (FunctionId(id), FunctionReading { version, work: FunctionWork::default() })
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
        self.work(function).cpu_nanos += cpu[0];
    }

    /// The same, in which the function was prepared instead of called.
    pub fn preparing(&mut self, microjoules: [u64; 3], function: u32, cpu: [u64; 3]) {
        self.window_for(Purpose::Preparing, microjoules, function, cpu);
    }

    fn window_for(&mut self, purpose: Purpose, microjoules: [u64; 3], function: u32, cpu: [u64; 3]) {
        let consumers =
            Consumers { functions: vec![(FunctionId(function), purpose, cpu[0])], runtime: cpu[1], host: cpu[2] };
        // A third is base.
        let used = cpu.iter().sum::<u64>();
        let weights = Weights { functions: vec![2 * cpu[0]], runtime: 2 * cpu[1], host: 2 * cpu[2], base: used };
        for ((key, accounts), energy) in self.reading.zones.iter_mut().zip(microjoules.map(Microjoules)) {
            if key.zone.is_additive() {
                accounts.book(energy, &consumers, &weights);
            } else {
                accounts.book_observed(energy);
            }
        }
    }

    pub fn calls(&mut self, function: u32, outcome: crate::outcome::Outcome, count: u64) {
        let work = self.work(function);
        work.calls[outcome as usize] += count;
        work.cold_starts = work.cold_starts.max(1);
    }

    /// Settles a call with this uncertainty.
    pub fn settle(&mut self, function: u32, uncertainty: Uncertainty) {
        self.work(function).uncertainty += uncertainty;
    }

    fn work(&mut self, function: u32) -> &mut FunctionWork {
        &mut self.reading.functions.get_mut(&FunctionId(function)).expect("this function is served").work
    }

    /// What has grown in this hour since an earlier reading.
    pub fn pending(&self, hour: i64, earlier: &Reading, rates: &[EnergyRate]) -> Pending {
        let mut pending = Pending::default();
        pending.add(Hour(hour), earlier, &self.reading, rates);
        pending
    }

    /// What each zone has used.
    pub fn totals(&self) -> [u64; 3] {
        std::array::from_fn(|zone| self.reading.zones[zone].1.total.0)
    }
}
