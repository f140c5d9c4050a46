//! What a call is expected to cost, known the moment it ends: rates learned from windows that are closed.

use crate::rate::Rate;
use crate::source::SourceKind;
use crate::units::{Joules, Microjoules, Watts};
use crate::work::Work;
use crate::zone::{Domain, Zone};

/// A normally distributed figure lies within this many standard deviations 95 times of 100.
const DEVIATIONS_95: f64 = 1.96;

/// What is known of one additive zone.
#[derive(Clone, Debug)]
pub struct ZoneCalibration {
    /// The zone.
    pub zone: Zone,
    /// Its base power, once known.
    pub base: Option<Watts>,
    pub(crate) rate: Rate,
    pub(crate) quantum: Microjoules,
    /// By how much the counter itself may be off, as a fraction at 95 % confidence.
    pub(crate) relative_error: f64,
}

/// What is known of the machine.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// Where the energy readings come from.
    pub source: SourceKind,
    /// The additive zones.
    pub zones: Vec<ZoneCalibration>,
}

/// What a call is expected to have cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Energy that it caused, all zones together.
    pub active: Joules,
    /// Its share of the base energy; `None` while the base is not known, and then part of `active`.
    pub base: Option<Joules>,
    /// Half the width of the 95 % interval of `active`.
    pub uncertainty: Joules,
    /// `active` by domain, packages added.
    pub zones: Vec<(Domain, Joules)>,
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEstimate {
    /// The source has no zone that may be added.
    #[error("the energy source has no readable zone")]
    NoZone,
    /// Not a single window has said what CPU time costs.
    #[error("no window with readings from the energy source has closed yet")]
    NoWindow,
}

impl Calibration {
    /// What `work` is expected to have cost.
    ///
    /// # Errors
    /// When nothing is known yet. Zero is never given for "not known".
    pub fn estimate(&self, work: &Work) -> Result<Estimate, NoEstimate> {
        if self.zones.is_empty() {
            return Err(NoEstimate::NoZone);
        }
        let base_known = self.zones.iter().all(|zone| zone.base.is_some());
        let mut estimate = Estimate {
            active: Joules(0.0),
            base: base_known.then_some(Joules(0.0)),
            uncertainty: Joules(0.0),
            zones: Vec::new(),
        };
        let (mut variance, mut systematic) = (0.0, 0.0_f64);
        for zone in &self.zones {
            let expected = zone.rate.expect(work.cpu).ok_or(NoEstimate::NoWindow)?;
            estimate.active.0 += expected.active.0;
            if let Some(base) = &mut estimate.base {
                base.0 += expected.base.0;
            }
            // The error of a difference of two readings, each rounded down to a quantum, is triangular on ±1 quantum:
            // its variance is a sixth of the quantum's square.
            let quantum = zone.quantum.joules().0;
            systematic += zone.relative_error * expected.active.0;
            variance += expected.deviation.0.powi(2) + quantum.powi(2) / 6.0;
            match estimate.zones.iter_mut().find(|(domain, _)| *domain == zone.zone.domain) {
                Some((_, joules)) => joules.0 += expected.active.0,
                None => estimate.zones.push((zone.zone.domain.clone(), expected.active)),
            }
        }
        let from_windows = DEVIATIONS_95 * variance.sqrt();
        estimate.uncertainty = Joules(from_windows.hypot(systematic));
        Ok(estimate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WINDOW: Duration = Duration::from_millis(100);

    fn calibration(zones: &[(Domain, &str, u64)], base: Option<Watts>) -> Calibration {
        let zone = |&(ref domain, package, energy): &(Domain, &str, u64)| {
            let mut rate = Rate::default();
            (0..100).for_each(|_| rate.learn(Microjoules(energy), Microjoules(200_000), WINDOW, WINDOW));
            ZoneCalibration {
                zone: Zone::new(domain.clone(), package),
                base,
                rate,
                quantum: Microjoules(61),
                relative_error: 0.0,
            }
        };
        Calibration { source: SourceKind::Powercap, zones: zones.iter().map(zone).collect() }
    }

    fn work(cpu: Duration) -> Work {
        Work::of_cpu(cpu)
    }

    #[test]
    fn packages_of_one_domain_are_added() {
        let zones = [(Domain::Package, "0", 600_000), (Domain::Package, "1", 400_000), (Domain::Dram, "0", 100_000)];
        let estimate = calibration(&zones, Some(Watts(2.0))).estimate(&work(Duration::from_millis(10))).unwrap();
        let near = |joules: Joules, expected: f64| assert!((joules.0 - expected).abs() < 1e-9, "{joules:?}");
        near(estimate.active, 0.110);
        near(estimate.base.unwrap(), 0.060);
        near(estimate.zones[0].1, 0.100);
        near(estimate.zones[1].1, 0.010);
    }

    #[test]
    fn a_call_below_the_quantum_is_uncertain_by_more_than_itself() {
        let calibration = calibration(&[(Domain::Package, "0", 500_000)], None);
        let estimate = calibration.estimate(&work(Duration::from_micros(5))).unwrap();
        assert!(estimate.active < estimate.uncertainty, "{estimate:?}");
        assert_eq!(estimate.base, None);
    }

    #[test]
    fn what_the_source_itself_may_be_off_widens_the_interval() {
        let known = calibration(&[(Domain::Package, "0", 500_000)], None);
        let mut modelled = Calibration { source: SourceKind::Model, ..known };
        modelled.zones[0].relative_error = 0.5;
        let estimate = modelled.estimate(&work(Duration::from_secs(1))).unwrap();
        assert!((estimate.uncertainty.0 / estimate.active.0 - 0.5).abs() < 0.01, "{estimate:?}");
    }

    #[test]
    fn not_known_is_not_zero() {
        let nothing = calibration(&[], None);
        assert_eq!(nothing.estimate(&work(WINDOW)), Err(NoEstimate::NoZone));
        let mut silent = calibration(&[(Domain::Package, "0", 1)], None);
        silent.zones[0].rate = Rate::default();
        assert_eq!(silent.estimate(&work(WINDOW)), Err(NoEstimate::NoWindow));
    }
}
