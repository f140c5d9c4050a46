//! How what is learned from deviates from what was expected of it: how far, for how long, and when the machine has
//! changed. A *window* here is a block of them, half a second long.

use std::time::Duration;

use super::ablation::{Part, without};

/// Half-life of a window, in seconds.
const HALF_LIFE: f64 = 120.0;

/// Most that one window counts, as a multiple of its variance, and the bounds of [`Residuals::fit`].
const STRAYED_MAX: f64 = 16.0;
const FIT_MIN: f64 = 0.01;
const FIT_MAX: f64 = 100.0;

/// Windows that what is assumed weighs as much as.
const FIRST: f64 = 10.0;

/// A window this many standard deviations off is not learned from.
const OUTLIER: f64 = 5.0;

/// Outliers on one side for this long mean that the machine has changed.
const STEP_TIME: Duration = Duration::from_millis(800);

/// Most of the recent windows that may be far off, and the half-life of a window among them in seconds: a machine that
/// changes once is believed again within seconds.
const FAR_OFF_MAX: f64 = 0.3;
const FAR_OFF_HALF_LIFE: f64 = 5.0;

/// What a window is to learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It can be learned from.
    Ordinary,
    /// It is far off: a disturbance, or the first window of a change.
    Outlier,
    /// The machine has drawn this many watts more than expected for some time, beyond what could be chance.
    Step(f64),
    /// So many windows are far off that what was learned must be wrong.
    Refuted,
}

/// The deviations of past windows, recent ones counting more.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// Mean square deviation, relative to what was expected.
    fit: f64,
    windows: f64,
    /// Time and energy of the outliers in a row.
    outliers: (Duration, f64),
    /// Part of the recent windows that were far off.
    far_off: f64,
}

impl Default for Residuals {
    fn default() -> Self {
        Self { fit: 1.0, windows: 0.0, outliers: (Duration::ZERO, 0.0), far_off: 0.0 }
    }
}

impl Residuals {
    /// Factor on the variance by which consumers are taken to deviate.
    pub fn fit(&self) -> f64 {
        if without(Part::Fit) { 1.0 } else { self.fit }
    }

    /// Judges a window that deviates by `innovation`, of which the coefficients explain the variance `known` and
    /// everything else `noise`, all in joules.
    pub fn judge(&mut self, innovation: f64, known: f64, noise: f64, time: Duration) -> Verdict {
        let variance = known + noise;
        if variance <= 0.0 {
            return Verdict::Ordinary;
        }
        let off = innovation / variance.sqrt();
        let keep = 0.5_f64.powf(time.as_secs_f64() / HALF_LIFE);
        let fit = self.fit * (off * off).min(STRAYED_MAX);
        self.windows += 1.0;
        // The first windows say quickly if the machine strays further than is assumed.
        let part = (1.0 - keep).max(1.0 / (self.windows + FIRST));
        self.fit = (self.fit + (fit - self.fit) * part).clamp(FIT_MIN, FIT_MAX);
        let recent = 1.0 - 0.5_f64.powf(time.as_secs_f64() / FAR_OFF_HALF_LIFE);
        self.far_off += (f64::from(off.abs() >= OUTLIER) - self.far_off) * recent;
        if self.far_off > FAR_OFF_MAX && !without(Part::Refuted) {
            return Verdict::Refuted;
        }
        let (lasted, energy) = self.outliers;
        if off.abs() < OUTLIER || energy * innovation < 0.0 {
            self.outliers = (Duration::ZERO, 0.0);
            if off.abs() < OUTLIER {
                return Verdict::Ordinary;
            }
        }
        self.outliers.0 += time;
        self.outliers.1 += innovation;
        if lasted + time < STEP_TIME || without(Part::Step) {
            return Verdict::Outlier;
        }
        let (lasted, energy) = std::mem::take(&mut self.outliers);
        Verdict::Step(energy / lasted.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    #[test]
    fn one_window_that_is_far_off_is_an_outlier_and_many_are_a_step() {
        let mut residuals = Residuals::default();
        assert_eq!(residuals.judge(4.0, 0.0, 1.0, WINDOW), Verdict::Ordinary);
        assert_eq!(residuals.judge(40.0, 0.0, 1.0, WINDOW), Verdict::Outlier);
        assert_eq!(residuals.judge(1.0, 0.0, 1.0, WINDOW), Verdict::Ordinary);
        for _ in 0..7 {
            assert_eq!(residuals.judge(15.0, 0.0, 1.0, WINDOW), Verdict::Outlier);
        }
        let Verdict::Step(watts) = residuals.judge(15.0, 0.0, 1.0, WINDOW) else { panic!("a step") };
        assert!((watts - 150.0).abs() < 1e-9, "{watts}");
        assert_eq!(residuals.judge(40.0, 0.0, 1.0, WINDOW), Verdict::Outlier, "it is over");
    }

    #[test]
    fn a_machine_that_is_never_as_expected_refutes_what_was_learned() {
        let mut residuals = Residuals::default();
        let mut judge =
            |step: usize| residuals.judge(if step.is_multiple_of(2) { 30.0 } else { -30.0 }, 0.0, 1.0, WINDOW);
        let refuted = (0..100).position(|step| judge(step) == Verdict::Refuted);
        assert!(refuted.is_some_and(|step| (10..50).contains(&step)), "{refuted:?}");
    }
}
