//! An extended Kalman filter: coefficients, their covariance, and how a window changes them.
//!
//! Between windows each coefficient may drift: its variance grows up to that of its prior. So what is not excited is
//! forgotten slowly, and nothing winds up. A window changes the mean by the Kalman gain.
//!
//! The energy of a window is linear in the costs and nearly so in the two laws of conditions, so the filter is linear
//! except for these two, which enter by their slopes (Jazwinski, "Stochastic Processes and Filtering Theory", 1970,
//! section 8.3). Without them it is the recursive least squares of Åström and Wittenmark, "Adaptive Control", 2nd ed.,
//! section 2.2, in random-walk form. Means outside their bounds are moved to them along the covariance, as a step of an
//! active-set method (Lawson and Hanson, "Solving Least Squares Problems", chapter 23).

use super::ablation::{Part, without};
use super::conditions::Law;
use super::inputs::{CLOCK_EXPONENT, CORE_SHARING, COUNT, FEATURES, Inputs, Vector};

/// What is assumed about a coefficient before learning, and how fast it may change.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    pub mean: f64,
    pub deviation: f64,
    /// Standard deviation of its drift per second.
    pub drift: f64,
    /// Lowest and highest value.
    pub bounds: (f64, f64),
}

/// Coefficients with their covariance.
#[derive(Clone, Debug)]
pub struct Estimator {
    pub(super) priors: [Prior; COUNT],
    pub(super) mean: Vector,
    pub(super) covariance: Box<[Vector; COUNT]>,
}

impl Estimator {
    /// Coefficients that are known by their priors. What all of them are in units of is unknown by the fraction
    /// `common` on top: they are off together.
    pub fn new(priors: &[Prior; COUNT], common: f64) -> Self {
        let mean = priors.map(|prior| prior.mean);
        let mut covariance = Box::new([[0.0; COUNT]; COUNT]);
        let is_cost = |place: usize| place != CLOCK_EXPONENT && place != CORE_SHARING;
        for (place, row) in covariance.iter_mut().enumerate().filter(|(place, _)| is_cost(*place)) {
            for other in (0..COUNT).filter(|&other| is_cost(other)) {
                row[other] = mean[place] * mean[other] * common * common;
            }
        }
        let mut priors = *priors;
        for (place, prior) in priors.iter_mut().enumerate() {
            covariance[place][place] += prior.deviation.powi(2);
            prior.deviation = covariance[place][place].sqrt();
        }
        Self { priors, mean, covariance }
    }

    pub fn mean(&self) -> &Vector {
        &self.mean
    }

    pub fn deviation(&self, place: usize) -> f64 {
        self.covariance[place][place].max(0.0).sqrt()
    }

    /// How conditions change the cost of work, as far as is known.
    pub fn law(&self) -> Law {
        Law { exponent: self.mean[CLOCK_EXPONENT], sharing: self.mean[CORE_SHARING] }
    }

    /// Expected cost of `inputs`.
    pub fn predict(&self, inputs: &Inputs) -> f64 {
        dot(&self.mean, &inputs.amounts)
    }

    /// By how much the cost of `inputs` changes with each coefficient.
    pub fn slopes(&self, inputs: &Inputs) -> Vector {
        let mut slopes = inputs.amounts;
        slopes[CLOCK_EXPONENT] = dot(&self.mean, &inputs.by_exponent);
        slopes[CORE_SHARING] = self.by_sharing(inputs);
        slopes
    }

    /// By how much the cost of `inputs` changes with the sharing of cores.
    pub fn by_sharing(&self, inputs: &Inputs) -> f64 {
        dot(&self.mean, &inputs.by_sharing)
    }

    /// The variance of the expected cost of `inputs`.
    pub fn variance(&self, inputs: &Inputs) -> f64 {
        let slopes = self.slopes(inputs);
        dot(&self.spread(&slopes), &slopes).max(0.0)
    }

    /// The covariance times `slopes`.
    pub fn spread(&self, slopes: &Vector) -> Vector {
        let mut spread = [0.0; COUNT];
        for (row, &slope) in self.covariance.iter().zip(slopes) {
            if slope != 0.0 {
                spread.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value * slope);
            }
        }
        spread
    }

    /// Lets coefficients drift for this many seconds.
    pub fn drift(&mut self, seconds: f64) {
        for place in (0..COUNT).filter(|_| !without(Part::Drift)) {
            self.widen(place, self.priors[place].drift.powi(2) * seconds);
        }
    }

    /// Adds `variance` to that of a coefficient, up to that of its prior.
    pub fn widen(&mut self, place: usize, variance: f64) {
        let row = &mut self.covariance[place];
        row[place] += variance;
        let most = self.priors[place].deviation.powi(2);
        if row[place] > most {
            let scale = (most / row[place]).sqrt();
            for other in 0..COUNT {
                self.covariance[place][other] *= scale;
                self.covariance[other][place] *= scale;
            }
        }
    }

    /// Learns that `inputs` cost `measured`, with variance `noise`. Returns whether anything changed.
    pub fn learn(&mut self, measured: f64, inputs: &Inputs, noise: f64) -> bool {
        let slopes = self.slopes(inputs);
        let spread = self.spread(&slopes);
        let known = dot(&spread, &slopes);
        let total = known + noise;
        if known.is_nan() || total <= 0.0 {
            return false;
        }
        let innovation = measured - self.predict(inputs);
        for place in 0..COUNT {
            let gain = spread[place] / total;
            self.mean[place] += gain * innovation;
            self.covariance[place].iter_mut().zip(&spread).for_each(|(value, &other)| *value -= gain * other);
        }
        if !without(Part::Bounds) {
            self.stay_in_bounds();
        }
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

    /// Takes a coefficient over from another estimator, without what it had to do with others.
    pub fn adopt(&mut self, place: usize, other: &Self) {
        self.reset(place);
        self.mean[place] = other.mean[place];
        self.covariance[place][place] = other.covariance[place][place];
    }

    /// Moves coefficients that are out of bounds to the bound. The functions' own are differences and have none.
    fn stay_in_bounds(&mut self) {
        let over = |mean: &Vector, place: usize| {
            let (low, high) = self.priors[place].bounds;
            mean[place].clamp(low, high) - mean[place]
        };
        for _ in 0..FEATURES.len() {
            let furthest =
                (0..FEATURES.len()).max_by(|&a, &b| over(&self.mean, a).abs().total_cmp(&over(&self.mean, b).abs()));
            let Some((place, move_by)) =
                furthest.map(|place| (place, over(&self.mean, place))).filter(|of| of.1 != 0.0)
            else {
                return;
            };
            let variance = self.covariance[place][place];
            if variance > 0.0 {
                let step = move_by / variance;
                for other in 0..COUNT {
                    self.mean[other] += step * self.covariance[place][other];
                }
            }
            self.mean[place] = {
                let (low, high) = self.priors[place].bounds;
                self.mean[place].clamp(low, high)
            };
        }
        for place in 0..FEATURES.len() {
            let (low, high) = self.priors[place].bounds;
            self.mean[place] = self.mean[place].clamp(low, high);
        }
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
        Estimator::new(&[Prior { mean: 0.0, deviation: 10.0, drift: 0.0, bounds: POSITIVE }; COUNT], 0.0)
    }

    const POSITIVE: (f64, f64) = (0.0, f64::INFINITY);

    fn inputs(values: &[(usize, f64)]) -> Inputs {
        let mut inputs = Inputs::default();
        for &(place, value) in values {
            inputs.amounts[place] = value;
        }
        inputs
    }

    /// What three consumers really cost, in mixtures that change.
    fn teach(estimator: &mut Estimator, windows: usize) {
        for window in 0..windows {
            let part = |period: usize| (window % period) as f64 / period as f64;
            let x = inputs(&[(ACTIVATION, 0.5 + part(3)), (CALL_CPU, part(7)), (HOST_CPU, part(11))]);
            let cost = 2.0 * x.amounts[ACTIVATION] + 5.0 * x.amounts[CALL_CPU] + 3.0 * x.amounts[HOST_CPU];
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
        (0..1000).for_each(|_| _ = estimator.learn(8.0, &both, 1e-2));
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
        let mut estimator =
            Estimator::new(&[Prior { mean: 0.0, deviation: 10.0, drift: 1.0, bounds: POSITIVE }; COUNT], 0.0);
        teach(&mut estimator, 200);
        assert!(estimator.deviation(CALL_CPU) < 1.0);
        (0..1000).for_each(|_| estimator.drift(1.0));
        assert!((estimator.deviation(CALL_CPU) - 10.0).abs() < 1e-9);
        assert!((estimator.mean()[CALL_CPU] - 5.0).abs() < 0.1, "what was learned is still the best guess");
        let unit = inputs(&[(CALL_CPU, 1.0), (HOST_CPU, -1.0)]);
        assert!(estimator.variance(&unit) >= 0.0);
    }
}
