//! One zone over time: its counter, its base power, what work costs in it, its accounts.

use std::time::Duration;

use crate::base::Base;
use crate::calibration::ZoneCalibration;
use crate::counter::{Counter, GapReason, Observation};
use crate::learning::{Consumption, Learned, Learner};
use crate::ledger::{Accounts, Charges, Consumers};
use crate::post::FunctionId;
use crate::rate::Rate;
use crate::source::{CounterSpec, ReadError, SourceKind};
use crate::units::{Microjoules, Watts};
use crate::work::topology::Topology;
use crate::work::{Moment, Work};
use crate::zone::{Domain, Zone};

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
    pub busy: Duration,
    pub cpus: usize,
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
    /// Base power, once known.
    pub base: Option<Watts>,
    /// What work costs in it; `None` if the zone charges nobody.
    pub learned: Option<Learned>,
    /// Error of the last reading.
    pub failure: Option<String>,
}

pub(crate) struct ZoneMeter {
    counter: Counter,
    base: Base,
    rate: Rate,
    pub learner: Learner,
    pub accounts: Accounts,
    watts: Option<Watts>,
    /// Mean power of the last settled window.
    before: Watts,
    failure: Option<String>,
}

impl ZoneMeter {
    pub fn new(spec: CounterSpec) -> Self {
        let learner = Learner::new(spec.source == SourceKind::Model, spec.zone.domain == Domain::Dram);
        Self {
            base: Base::new(spec.base),
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
        let number = self.spec().zone.package.split('-').next()?.parse::<u32>().ok()?;
        topology.packages().iter().position(|&package| package == number)
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
        let Package { consumption, time, busy, cpus } = package;
        let known = self.base.watts().is_some();
        self.base.learn(energy, *time, *busy, *cpus, self.learner.active(consumption));
        if let (false, Some(base)) = (known, self.base.watts()) {
            self.learner.take_off(base.0);
        }
        let base = self.base.part_of(energy, *time);
        let dynamic = energy - base;
        let noise = self.reading_noise(energy, *time);
        self.before = energy.over(*time).unwrap_or(self.before);
        let weights = self.learner.weigh(consumption, dynamic.joules(), noise, *time);
        let consumers = Consumers::from(*consumption);
        let charges = self.accounts.book(energy, base, &consumers, &weights);
        self.rate.learn(charges.active, charges.base, consumers.total(), *time);
        charges
    }

    /// The variance, in joules squared, of the charge of a call: of its work, and of cutting it to whole microjoules in
    /// each window, which may add or remove one.
    pub fn settled_variance(&self, function: FunctionId, work: &Work, windows: u32) -> f64 {
        let cut = f64::from(windows) / 6.0 * 1e-12;
        let known = self.learner.variance(function, work, true);
        known.or_else(|| Some(self.rate.expect(work.cpu)?.deviation.0.powi(2))).unwrap_or(0.0) + cut
    }

    pub fn calibration(&self, share: f64) -> ZoneCalibration {
        ZoneCalibration {
            zone: self.spec().zone.clone(),
            base: self.base.watts(),
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
            base: self.base.watts(),
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
