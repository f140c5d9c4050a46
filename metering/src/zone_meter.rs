//! One zone over time: its counter, its base power, what work costs in it, its accounts.

use std::time::Duration;

use crate::calibration::ZoneCalibration;
use crate::counter::{Counter, GapReason, Observation};
use crate::learning::{Consumption, DEVIATIONS_95, Doubt, Knowledge, Learned, Learner};
use crate::ledger::{Accounts, Charges, Consumers};
use crate::post::FunctionId;
use crate::rate::Rate;
use crate::source::{CounterSpec, ReadError, SourceKind};
use crate::units::{Microjoules, Watts};
use crate::work::topology::Topology;
use crate::work::{Moment, Work};
use crate::zone::Zone;

/// RAPL counters advance about every 0.976 ms, so a reading is at most that old.
///
/// Source: Intel SDM vol. 3B, on the RAPL interfaces (about 1 ms); Hähnel et al., "Measuring energy consumption for short
/// code paths using RAPL", SIGMETRICS PER 40 (2012), who look for the moment of the update.
const UPDATE: f64 = 0.976e-3;

/// What a reading says about the window that it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// The zone used this energy.
    Energy(Microjoules),
    /// Unknown: this is the first window of the zone.
    Baseline,
    /// Unknown for another reason.
    Gap(GapReason, Duration),
    /// The zone charges nobody: it is part of another zone, or another source is read.
    Uncharged,
}

/// The package of a zone during one window.
pub(crate) struct Package<'a> {
    pub consumption: &'a Consumption,
    pub time: Duration,
}

/// The state of one zone.
#[derive(Clone, Debug)]
pub struct ZoneReport {
    /// The source of its readings.
    pub source: SourceKind,
    /// The zone.
    pub zone: Zone,
    /// Its accounts. A zone that is not additive has only a total and gaps.
    pub accounts: Accounts,
    /// Mean power of the last window that had energy.
    pub watts: Option<Watts>,
    /// Base power, once anything is known of it.
    pub base: Option<Watts>,
    /// Half the width of the 95 % interval of the base power, with what the source states about its own error.
    pub base_uncertainty: Option<Watts>,
    /// What work costs in it; `None` if the zone charges nobody.
    pub learned: Option<Learned>,
    /// Error of the last reading.
    pub failure: Option<String>,
}

pub(crate) struct ZoneMeter {
    counter: Counter,
    rate: Rate,
    pub learner: Learner,
    pub accounts: Accounts,
    watts: Option<Watts>,
    /// Mean power of the last settled window.
    before: Watts,
    failure: Option<String>,
}

impl ZoneMeter {
    pub fn new(spec: CounterSpec, topology: &Topology) -> Self {
        let package = package(&spec, topology);
        let cores = package.map_or(topology.cores(), |package| topology.cores_of(package));
        let cpus = package.map_or(topology.cpus(), |package| topology.cpus_of(package));
        let learner = Learner::new(&spec, capacity(cores, cpus));
        Self {
            counter: Counter::new(spec),
            rate: Rate::default(),
            learner,
            accounts: Accounts::default(),
            watts: None,
            before: Watts(0.0),
            failure: None,
        }
    }

    pub fn spec(&self) -> &CounterSpec {
        self.counter.spec()
    }

    /// Index of the package of the zone; `None` if it covers the machine.
    pub fn package(&self, topology: &Topology) -> Option<usize> {
        package(self.spec(), topology)
    }

    /// Takes a reading made at `now`, `time` after the last one.
    pub fn observe(&mut self, reading: &Result<Microjoules, ReadError>, now: &Moment, time: Duration) -> Reading {
        let failure = reading.as_ref().err().filter(|error| !matches!(error, ReadError::Standby));
        self.failure = failure.map(ToString::to_string);
        let additive = self.spec().zone.is_additive();
        let seen = match self.counter.observe(reading, now) {
            Observation::Baseline => Reading::Baseline,
            Observation::Gap { reason, time, found } => {
                self.accounts.book_gap(reason, time, found);
                Reading::Gap(reason, time)
            }
            Observation::Standby => {
                self.watts = None;
                Reading::Uncharged
            }
            Observation::Window(energy) => {
                self.watts = energy.over(time);
                if !additive {
                    self.accounts.book_observed(energy);
                }
                Reading::Energy(energy)
            }
        };
        if additive { seen } else { Reading::Uncharged }
    }

    /// Charges the energy of a window to its consumers.
    pub fn charge(&mut self, energy: Microjoules, package: &Package) -> Charges {
        let Package { consumption, time } = package;
        let noise = self.reading_noise(energy, *time);
        self.before = energy.over(*time).unwrap_or(self.before);
        let weights = self.learner.weigh(consumption, energy.joules(), noise, *time);
        let consumers = Consumers::from(*consumption);
        let charges = self.accounts.book(energy, &consumers, &weights);
        self.rate.learn(charges.active, charges.base, consumers.total(), *time);
        charges
    }

    /// The variances, in joules squared, of the charge of a call: of its work, and of cutting it to whole microjoules in
    /// each window, which may add or remove one.
    pub fn settled_doubt(&self, function: FunctionId, work: &Work, windows: u32) -> Doubt {
        let cut = f64::from(windows) / 6.0 * 1e-12;
        let by_rate = || self.rate.expect(work.cpu).map_or(0.0, |expected| expected.deviation.0.powi(2));
        let known = self.learner.expect(function, work, true).map(|(_, doubt)| doubt);
        let Doubt { common, own } = known.unwrap_or_else(|| Doubt { common: 0.0, own: by_rate() });
        Doubt { common, own: own + cut }
    }

    /// What has been learned about the zone, if anything.
    pub fn knowledge(&self) -> Option<Knowledge> {
        let spec = self.spec();
        if !spec.zone.is_additive() {
            return None;
        }
        self.learner.knowledge(&spec.zone.to_string(), spec.source.as_str())
    }

    /// Takes up what an earlier process learned about this zone by the same source.
    pub fn recall(&mut self, known: &[Knowledge]) {
        let (zone, source) = (self.spec().zone.to_string(), self.spec().source.as_str());
        if let Some(known) = known.iter().find(|known| known.zone == zone && known.source == source) {
            self.learner.recall(known);
        }
    }

    pub fn calibration(&self, share: f64) -> ZoneCalibration {
        ZoneCalibration {
            zone: self.spec().zone.clone(),
            base: self.learner.base().map(|(watts, _)| watts),
            rate: self.rate.clone(),
            learner: self.learner.clone(),
            share,
            quantum: self.spec().quantum,
            relative_error: self.spec().relative_error,
        }
    }

    pub fn report(&self) -> ZoneReport {
        ZoneReport {
            source: self.spec().source,
            zone: self.spec().zone.clone(),
            accounts: self.accounts.clone(),
            watts: self.watts,
            base: self.learner.base().map(|(watts, _)| watts),
            base_uncertainty: self.learner.base().map(|(watts, deviation)| {
                Watts((DEVIATIONS_95 * deviation.0).hypot(self.spec().relative_error * watts.0))
            }),
            learned: self.spec().zone.is_additive().then(|| self.learner.report()),
            failure: self.failure.clone(),
        }
    }

    /// The variance, in joules squared, of the energy of a window: two readings, each rounded down to a quantum and up
    /// to one update old.
    fn reading_noise(&self, energy: Microjoules, time: Duration) -> f64 {
        let now = energy.over(time).unwrap_or(self.before);
        let update = |watts: Watts| (watts.0 * UPDATE).powi(2) / 12.0;
        self.spec().quantum.joules().0.powi(2) / 6.0 + update(now) + update(self.before)
    }
}

/// CPU time beside a busy thread of the same core costs this much less.
///
/// Source: Marr et al., "Hyper-Threading Technology Architecture and Microarchitecture", Intel Technology Journal 6(1),
/// 2002: two threads of a core do up to 30 % more work than one.
const SHARED: f64 = 0.44;

/// CPU time that processors can use in a second, in units of what a thread costs that has its core to itself.
fn capacity(cores: usize, cpus: usize) -> f64 {
    if cpus > cores { cpus as f64 * (1.0 - SHARED) } else { cpus as f64 }
}

/// Index of the package of a counter; `None` if it covers the machine.
fn package(spec: &CounterSpec, topology: &Topology) -> Option<usize> {
    let number = spec.zone.package.split('-').next()?.parse::<u32>().ok()?;
    topology.packages().iter().position(|&package| package == number)
}
