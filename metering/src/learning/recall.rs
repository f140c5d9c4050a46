//! Writes down what was learned, and takes it up again.

use super::ablation::{Part, without};
use super::estimator::Estimator;
use super::inputs::{COUNT, FEATURES};
use super::knowledge::{Knowledge, METHOD, Trial};
use super::learner::{CPU_SECONDS_MIN, Learner};
use super::priors::SEEN;
use super::report::LearningState;
use super::residuals::Residuals;

/// Relative deviation that is added to every coefficient that was learned earlier: the machine may have changed since.
const SINCE: f64 = 0.03;

impl Learner {
    /// What has been learned, to be recalled later; `None` if the order of magnitude is not known yet, or the source
    /// states everything.
    pub fn knowledge(&self, zone: &str, source: &str) -> Option<Knowledge> {
        let estimator = self.estimator.as_ref().filter(|_| self.is_seen())?;
        let shared = FEATURES.len();
        Some(Knowledge {
            zone: zone.to_owned(),
            source: source.to_owned(),
            method: METHOD,
            has_events: self.kind.has_events,
            scale: self.scale,
            features: FEATURES.iter().map(|feature| feature.as_str().to_owned()).collect(),
            mean: estimator.mean()[..shared].to_vec(),
            covariance: (0..shared).flat_map(|row| estimator.covariance_row(row)[..shared].to_vec()).collect(),
        })
    }

    /// Starts from what was learned earlier, with a wider covariance. What does not fit this method is ignored: returns
    /// whether it was taken up.
    pub fn recall(&mut self, knowledge: &Knowledge) -> bool {
        let shared = FEATURES.len();
        let names = FEATURES.iter().map(|feature| feature.as_str());
        let fits = knowledge.method == METHOD
            && knowledge.features.iter().map(String::as_str).eq(names)
            && knowledge.mean.len() == shared
            && knowledge.covariance.len() == shared * shared
            && knowledge.scale > 0.0
            && knowledge.mean.iter().chain(&knowledge.covariance).all(|value| value.is_finite())
            && (0..shared).all(|place| knowledge.covariance[place * (shared + 1)] >= 0.0);
        if !fits || self.state == LearningState::Stated {
            return false;
        }
        self.kind.has_events = knowledge.has_events;
        self.scale = knowledge.scale;
        self.seen = (CPU_SECONDS_MIN, 0.0);
        let mut estimator = Estimator::new(&self.kind.priors(self.scale), SEEN);
        estimator.recall(&knowledge.mean, &knowledge.covariance, SINCE);
        self.estimator = Some(estimator);
        self.residuals = Residuals::default();
        self.trial = (!without(Part::Trial)).then(Trial::default);
        true
    }
}

impl Estimator {
    fn covariance_row(&self, place: usize) -> &[f64; COUNT] {
        &self.covariance[place]
    }

    /// Takes the first coefficients from `mean` and `covariance`, and adds the relative deviation `since`.
    fn recall(&mut self, mean: &[f64], covariance: &[f64], since: f64) {
        for (place, &value) in mean.iter().enumerate() {
            for other in 0..COUNT {
                let known = covariance.get(place * mean.len() + other).filter(|_| other < mean.len());
                let value = known.copied().unwrap_or(0.0);
                self.covariance[place][other] = value;
                self.covariance[other][place] = value;
            }
            let (low, high) = self.priors[place].bounds;
            self.mean[place] = value.clamp(low, high);
        }
        for (place, &value) in mean.iter().enumerate() {
            self.covariance[place][place] += (since * value).powi(2);
        }
    }
}
