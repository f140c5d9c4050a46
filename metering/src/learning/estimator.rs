//! Non-negative recursive least squares with forgetting: coefficients, their uncertainty, and how a window changes
//! them.
//!
//! The state is a mean and a covariance. Between windows each coefficient may drift: its variance grows up to that of
//! its prior. So what is not excited is forgotten slowly, and nothing winds up. A window changes the mean by the Kalman
//! gain. A window that says nothing new, because its inputs are a mixture of known ones, is skipped: learning is frozen
//! for it.
//!
//! With drift instead of a forgetting factor, this is the recursive least squares of Åström and Wittenmark, "Adaptive
//! Control", 2nd ed., section 2.2, in random-walk form. Negative means are moved to zero along the covariance, as a
//! step of an active-set method (Lawson and Hanson, "Solving Least Squares Problems", chapter 23).

use super::inputs::{COUNT, FEATURES, Vector};

/// A window is skipped if the variance of its prediction is below this fraction of the variance of the measurement.
const NEWS_MIN: f64 = 0.01;

/// What is assumed about a coefficient before learning, and how fast it may change.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    pub mean: f64,
    pub deviation: f64,
    /// Standard deviation of its drift per second.
    pub drift: f64,
}

/// Coefficients with their covariance.
#[derive(Clone, Debug)]
pub struct Estimator {
    priors: [Prior; COUNT],
    mean: Vector,
    covariance: Box<[Vector; COUNT]>,
}

impl Estimator {
    pub fn new(priors: &[Prior; COUNT]) -> Self {
        let mut covariance = Box::new([[0.0; COUNT]; COUNT]);
        for (place, prior) in priors.iter().enumerate() {
            covariance[place][place] = prior.deviation.powi(2);
        }
        Self { priors: *priors, mean: priors.map(|prior| prior.mean), covariance }
    }

    pub fn mean(&self) -> &Vector {
        &self.mean
    }

    pub fn deviation(&self, place: usize) -> f64 {
        self.covariance[place][place].max(0.0).sqrt()
    }

    /// Expected cost of `inputs`.
    pub fn predict(&self, inputs: &Vector) -> f64 {
        dot(&self.mean, inputs)
    }

    /// The variance of that.
    pub fn variance(&self, inputs: &Vector) -> f64 {
        dot(&self.spread(inputs), inputs).max(0.0)
    }

    /// The covariance times `inputs`.
    pub fn spread(&self, inputs: &Vector) -> Vector {
        let mut spread = [0.0; COUNT];
        for (row, &input) in self.covariance.iter().zip(inputs) {
            if input != 0.0 {
                spread.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value * input);
            }
        }
        spread
    }

    /// Lets coefficients drift for this many seconds.
    pub fn drift(&mut self, seconds: f64) {
        for place in 0..COUNT {
            let Prior { deviation, drift, .. } = self.priors[place];
            let row = &mut self.covariance[place];
            row[place] += drift.powi(2) * seconds;
            let most = deviation.powi(2);
            if row[place] > most {
                let scale = (most / row[place]).sqrt();
                for other in 0..COUNT {
                    self.covariance[place][other] *= scale;
                    self.covariance[other][place] *= scale;
                }
            }
        }
    }

    /// Learns that `inputs` cost `measured`, with variance `noise`. Returns whether anything changed.
    pub fn learn(&mut self, measured: f64, inputs: &Vector, noise: f64) -> bool {
        let spread = self.spread(inputs);
        let known = dot(&spread, inputs);
        let total = known + noise;
        if known.is_nan() || known <= noise * NEWS_MIN {
            return false;
        }
        let innovation = measured - self.predict(inputs);
        for place in 0..COUNT {
            let gain = spread[place] / total;
            self.mean[place] += gain * innovation;
            self.covariance[place].iter_mut().zip(&spread).for_each(|(value, &other)| *value -= gain * other);
        }
        self.stay_non_negative();
        true
    }

    /// Resets a coefficient to its prior.
    pub fn reset(&mut self, place: usize) {
        for other in 0..COUNT {
            self.covariance[place][other] = 0.0;
            self.covariance[other][place] = 0.0;
        }
        self.mean[place] = self.priors[place].mean;
        self.covariance[place][place] = self.priors[place].deviation.powi(2);
    }

    /// Lowers a coefficient by what is now accounted for elsewhere.
    pub fn lower(&mut self, place: usize, by: f64) {
        self.mean[place] = (self.mean[place] - by).max(0.0);
        self.covariance[place][place] =
            self.priors[place].deviation.powi(2).min(self.covariance[place][place] + by * by);
    }

    /// Moves negative coefficients to zero. The functions' own coefficients are differences and may be negative.
    fn stay_non_negative(&mut self) {
        for _ in 0..FEATURES.len() {
            let lowest = (0..FEATURES.len()).min_by(|&a, &b| self.mean[a].total_cmp(&self.mean[b]));
            let Some(place) = lowest.filter(|&place| self.mean[place] < 0.0) else { return };
            let variance = self.covariance[place][place];
            if variance > 0.0 {
                let step = -self.mean[place] / variance;
                for other in 0..COUNT {
                    self.mean[other] += step * self.covariance[place][other];
                }
            }
            self.mean[place] = 0.0;
        }
        self.mean[..FEATURES.len()].iter_mut().for_each(|value| *value = value.max(0.0));
    }
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::inputs::{ACTIVATION, CALL_CPU, HOST_CPU};

    fn estimator() -> Estimator {
        Estimator::new(&[Prior { mean: 0.0, deviation: 10.0, drift: 0.0 }; COUNT])
    }

    fn inputs(values: &[(usize, f64)]) -> Vector {
        let mut inputs = [0.0; COUNT];
        for &(place, value) in values {
            inputs[place] = value;
        }
        inputs
    }

    /// What three consumers really cost, in mixtures that change.
    fn teach(estimator: &mut Estimator, windows: usize) {
        for window in 0..windows {
            let part = |period: usize| (window % period) as f64 / period as f64;
            let x = inputs(&[(ACTIVATION, 0.5 + part(3)), (CALL_CPU, part(7)), (HOST_CPU, part(11))]);
            let cost = 2.0 * x[ACTIVATION] + 5.0 * x[CALL_CPU] + 3.0 * x[HOST_CPU];
            estimator.learn(cost, &x, 1e-4);
        }
    }

    #[test]
    fn mixtures_that_change_tell_consumers_apart() {
        let mut estimator = estimator();
        teach(&mut estimator, 200);
        for (place, cost) in [(ACTIVATION, 2.0), (CALL_CPU, 5.0), (HOST_CPU, 3.0)] {
            assert!((estimator.mean()[place] - cost).abs() < 0.01, "{:?}", estimator.mean());
            assert!(estimator.deviation(place) < 0.02);
        }
    }

    #[test]
    fn what_always_goes_together_is_not_told_apart_and_says_so() {
        let mut estimator = estimator();
        let both = inputs(&[(CALL_CPU, 1.0), (HOST_CPU, 1.0)]);
        let learned = (0..1000).filter(|_| estimator.learn(8.0, &both, 1e-2)).count();
        assert!(learned <= 100, "{learned} of 1000 equal windows said something");
        assert!((estimator.predict(&both) - 8.0).abs() < 0.05);
        assert!(estimator.deviation(CALL_CPU) > 5.0, "alone it is as unknown as before");
        assert!(estimator.variance(&both).sqrt() < 0.1);
    }

    #[test]
    fn no_coefficient_is_negative() {
        let mut estimator = estimator();
        for _ in 0..100 {
            estimator.learn(5.0, &inputs(&[(CALL_CPU, 1.0)]), 1e-3);
            estimator.learn(4.0, &inputs(&[(CALL_CPU, 1.0), (HOST_CPU, 1.0)]), 1e-3);
            assert!(estimator.mean()[..FEATURES.len()].iter().all(|&value| value >= 0.0), "{:?}", estimator.mean());
        }
        assert!(estimator.mean()[HOST_CPU] < 0.01);
    }

    #[test]
    fn drift_forgets_up_to_the_prior_and_no_further() {
        let mut estimator = Estimator::new(&[Prior { mean: 0.0, deviation: 10.0, drift: 1.0 }; COUNT]);
        teach(&mut estimator, 200);
        assert!(estimator.deviation(CALL_CPU) < 1.0);
        (0..1000).for_each(|_| estimator.drift(1.0));
        assert!((estimator.deviation(CALL_CPU) - 10.0).abs() < 1e-9);
        assert!((estimator.mean()[CALL_CPU] - 5.0).abs() < 0.1, "what was learned is still the best guess");
        let unit = inputs(&[(CALL_CPU, 1.0), (HOST_CPU, -1.0)]);
        assert!(estimator.variance(&unit) >= 0.0);
    }
}
