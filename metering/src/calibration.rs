//! Estimates: the expected cost of a call at the moment it ends, from past windows.

use crate::learning::{Doubt, Learner};
use crate::post::FunctionId;
use crate::rate::Rate;
use crate::source::SourceKind;
use crate::uncertainty::Uncertainty;
use crate::units::{Joules, Microjoules, Watts};
use crate::work::Work;
use crate::zone::{Domain, Zone};

/// What is known about one additive zone.
#[derive(Clone, Debug)]
pub struct ZoneCalibration {
    /// The zone.
    pub zone: Zone,
    /// Its base power, once known.
    pub base: Option<Watts>,
    pub(crate) rate: Rate,
    pub(crate) learner: Learner,
    /// Part of the work of a call that runs in this zone, as far as is known: all of it, or one of several packages.
    pub(crate) share: f64,
    pub(crate) quantum: Microjoules,
    /// Error of the counter itself, as a fraction at 95 % confidence.
    pub(crate) relative_error: f64,
}

/// What is known about the machine.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// The source of the energy readings.
    pub source: SourceKind,
    /// The additive zones.
    pub zones: Vec<ZoneCalibration>,
}

/// The expected cost of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Energy that it caused, all zones together.
    pub active: Joules,
    /// Its share of the base energy; `None` while the base is unknown and still part of `active`.
    pub base: Option<Joules>,
    /// The parts of the 95 % interval of `active`.
    pub uncertainty: Uncertainty,
    /// `active` by domain, all packages added.
    pub zones: Vec<(Domain, Joules)>,
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEstimate {
    /// The source has no additive zone.
    #[error("the energy source has no readable zone")]
    NoZone,
    /// No window has shown yet what CPU time costs.
    #[error("no window with readings from the energy source has closed yet")]
    NoWindow,
}

impl Calibration {
    /// The expected cost of a call of `function` that did `work`.
    ///
    /// When nothing is known yet. "Unknown" is never zero.
    pub fn estimate(&self, function: FunctionId, work: &Work) -> Result<Estimate, NoEstimate> {
        if self.zones.is_empty() {
            return Err(NoEstimate::NoZone);
        }
        let base_known = self.zones.iter().all(|zone| zone.base.is_some());
        let mut estimate = Estimate {
            active: Joules(0.0),
            base: base_known.then_some(Joules(0.0)),
            uncertainty: Uncertainty::default(),
            zones: Vec::with_capacity(self.zones.len()),
        };
        let (mut doubt, mut systematic) = (Doubt::default(), 0.0);
        for zone in &self.zones {
            let (active, zone_doubt) = zone.expect(function, work).ok_or(NoEstimate::NoWindow)?;
            estimate.active.0 += active;
            if let (Some(base), Some(expected)) = (&mut estimate.base, zone.rate.expect(work.cpu)) {
                base.0 += expected.base.0 * zone.share;
            }
            // The error of a difference of two readings, each rounded down to a quantum, is triangular on ±1 quantum:
            // its variance is a sixth of the square of the quantum.
            doubt.common += zone_doubt.common;
            doubt.own += zone_doubt.own + zone.quantum.joules().0.powi(2) / 6.0;
            systematic += zone.relative_error * active;
            match estimate.zones.iter_mut().find(|(domain, _)| *domain == zone.zone.domain) {
                Some((_, joules)) => joules.0 += active,
                None => estimate.zones.push((zone.zone.domain.clone(), Joules(active))),
            }
        }
        estimate.uncertainty = Uncertainty::new(doubt, systematic);
        Ok(estimate)
    }
}

impl ZoneCalibration {
    /// Active energy in joules and its variance.
    fn expect(&self, function: FunctionId, work: &Work) -> Option<(f64, Doubt)> {
        let learned = self.learner.expect(function, work, false);
        let (Joules(active), Doubt { common, own }) = learned.or_else(|| {
            let expected = self.rate.expect(work.cpu)?;
            Some((expected.active, Doubt { common: 0.0, own: expected.deviation.0.powi(2) }))
        })?;
        // A call that runs on one of several packages costs what it costs there: the mean of what it may cost on each, with
        // the mean variance.
        Some((active * self.share, Doubt { common: common * self.share, own: own * self.share }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::CounterSpec;
    use std::time::Duration;

    const WINDOW: Duration = Duration::from_millis(100);

    fn calibration(zones: &[(Domain, &str, u64)], base: Option<Watts>) -> Calibration {
        let zone = |&(ref domain, package, energy): &(Domain, &str, u64)| {
            let share = 1.0 / zones.iter().filter(|(of, ..)| of == domain).count() as f64;
            let mut rate = Rate::default();
            (0..100).for_each(|_| rate.learn(Microjoules(energy), Microjoules(200_000), WINDOW, WINDOW));
            ZoneCalibration {
                zone: Zone::new(domain.clone(), package),
                base,
                rate,
                learner: stated(),
                share,
                quantum: Microjoules(61),
                relative_error: 0.0,
            }
        };
        Calibration { source: SourceKind::Powercap, zones: zones.iter().map(zone).collect() }
    }

    /// A learner that has nothing to learn.
    fn stated() -> Learner {
        let spec = CounterSpec {
            source: SourceKind::Model,
            zone: Zone::new(Domain::Package, "0"),
            range: None,
            watts_max: Watts(100.0),
            quantum: Microjoules(1),
            relative_error: 0.0,
            base: None,
            stated: None,
        };
        Learner::new(&spec, 1.0)
    }

    fn work(cpu: Duration) -> Work {
        Work::of_cpu(cpu)
    }

    #[test]
    fn a_call_may_have_run_on_any_of_the_packages() {
        let zones = [(Domain::Package, "0", 600_000), (Domain::Package, "1", 400_000), (Domain::Dram, "0", 100_000)];
        let estimate =
            calibration(&zones, Some(Watts(2.0))).estimate(FunctionId(0), &work(Duration::from_millis(10))).unwrap();
        let near = |joules: Joules, expected: f64| assert!((joules.0 - expected).abs() < 1e-9, "{joules:?}");
        near(estimate.active, 0.060);
        near(estimate.base.unwrap(), 0.040);
        near(estimate.zones[0].1, 0.050);
        near(estimate.zones[1].1, 0.010);
    }

    #[test]
    fn a_call_below_the_quantum_is_uncertain_by_more_than_itself() {
        let calibration = calibration(&[(Domain::Package, "0", 500_000)], None);
        let estimate = calibration.estimate(FunctionId(0), &work(Duration::from_micros(5))).unwrap();
        assert!(estimate.active < estimate.uncertainty.total(), "{estimate:?}");
        assert_eq!(estimate.base, None);
    }

    #[test]
    fn what_the_source_itself_may_be_off_widens_the_interval() {
        let known = calibration(&[(Domain::Package, "0", 500_000)], None);
        let mut modelled = Calibration { source: SourceKind::Model, ..known };
        modelled.zones[0].relative_error = 0.5;
        let estimate = modelled.estimate(FunctionId(0), &work(Duration::from_secs(1))).unwrap();
        assert!((estimate.uncertainty.total().0 / estimate.active.0 - 0.5).abs() < 0.01, "{estimate:?}");
    }

    #[test]
    fn not_known_is_not_zero() {
        let nothing = calibration(&[], None);
        assert_eq!(nothing.estimate(FunctionId(0), &work(WINDOW)), Err(NoEstimate::NoZone));
        let mut silent = calibration(&[(Domain::Package, "0", 1)], None);
        silent.zones[0].rate = Rate::default();
        assert_eq!(silent.estimate(FunctionId(0), &work(WINDOW)), Err(NoEstimate::NoWindow));
    }
}
