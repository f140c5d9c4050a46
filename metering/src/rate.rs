//! The recent cost of CPU time in one zone, and how much single windows deviated from it.

use crate::units::{Joules, Microjoules};
use std::time::Duration;

/// Half-life of a window. Long enough to average over the steps of the counter, short enough to follow a change of
/// frequency.
const HALF_LIFE: Duration = Duration::from_secs(10);

/// Less remembered CPU time than this says nothing about its cost.
const CPU_SECONDS_MIN: f64 = 0.001;

/// Energy per CPU time of one zone, active and base separately, with exponential forgetting.
#[derive(Debug, Default, Clone)]
pub struct Rate {
    active: f64,
    base: f64,
    cpu: f64,
    residual_squares: f64,
    cpu_squares: f64,
}

/// The cost of an amount of CPU time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Active energy.
    pub active: Joules,
    /// The share of base energy.
    pub base: Joules,
    /// Standard deviation of the active energy of single windows.
    pub deviation: Joules,
}

impl Rate {
    /// Learns from a window of `time` in which all consumers together used `cpu`.
    pub fn learn(&mut self, active: Microjoules, base: Microjoules, cpu: Duration, time: Duration) {
        let (active, base, cpu) = (active.joules().0, base.joules().0, cpu.as_secs_f64());
        let keep = 0.5_f64.powf(time.as_secs_f64() / HALF_LIFE.as_secs_f64());
        let residual = if self.cpu >= CPU_SECONDS_MIN { active - self.active / self.cpu * cpu } else { 0.0 };
        for (sum, new) in [
            (&mut self.active, active),
            (&mut self.base, base),
            (&mut self.cpu, cpu),
            (&mut self.residual_squares, residual * residual),
            (&mut self.cpu_squares, cpu * cpu),
        ] {
            *sum = *sum * keep + new;
        }
    }

    /// Expected cost of `cpu`; `None` while too little is known.
    #[must_use]
    pub fn expect(&self, cpu: Duration) -> Option<Expected> {
        let cpu = cpu.as_secs_f64();
        (self.cpu >= CPU_SECONDS_MIN).then(|| Expected {
            active: Joules(self.active / self.cpu * cpu),
            base: Joules(self.base / self.cpu * cpu),
            deviation: Joules((self.residual_squares / self.cpu_squares).sqrt() * cpu),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    #[test]
    fn nothing_is_expected_before_anything_was_seen() {
        assert_eq!(Rate::default().expect(WINDOW), None);
    }

    #[test]
    fn a_steady_machine_is_expected_to_go_on() {
        let mut rate = Rate::default();
        (0..100).for_each(|_| rate.learn(Microjoules(1_000_000), Microjoules(500_000), WINDOW * 2, WINDOW));
        let expected = rate.expect(Duration::from_secs(1)).unwrap();
        assert!((expected.active.0 - 5.0).abs() < 1e-9);
        assert!((expected.base.0 - 2.5).abs() < 1e-9);
        assert!(expected.deviation.0 < 1e-9);
    }

    #[test]
    fn windows_that_stray_widen_the_deviation() {
        let mut rate = Rate::default();
        (0..1000)
            .for_each(|step| rate.learn(Microjoules(900_000 + 200_000 * (step % 2)), Microjoules(0), WINDOW, WINDOW));
        let expected = rate.expect(Duration::from_secs(1)).unwrap();
        assert!((expected.active.0 - 10.0).abs() < 0.1, "{expected:?}");
        assert!((expected.deviation.0 - 1.0).abs() < 0.1, "{expected:?}");
    }

    #[test]
    fn the_past_is_forgotten_by_half_lives() {
        let mut rate = Rate::default();
        (0..1000).for_each(|_| rate.learn(Microjoules(1_000_000), Microjoules(0), WINDOW, WINDOW));
        (0..1000).for_each(|_| rate.learn(Microjoules(2_000_000), Microjoules(0), WINDOW, WINDOW));
        let expected = rate.expect(Duration::from_secs(1)).unwrap();
        assert!((19.9..20.0).contains(&expected.active.0), "{expected:?}");
    }
}
