//! Writes down what was learned, and takes it up again.

use super::ablation::{Part, without};
use super::estimator::Estimator;
use super::inputs::{COUNT, FEATURES};
use super::knowledge::{Knowledge, METHOD, Trial};
use super::learner::{CPU_SECONDS_MIN, Learner};
use super::priors::SEEN;
use super::report::LearningState;
use super::residuals::Residuals;
use super::slots::{FUNCTIONS_MAX, Slots};

/// Relative deviation that is added to every coefficient that was learned earlier: the machine may have changed since.
const SINCE: f64 = 0.03;

impl Learner {
    /// What has been learned, to be recalled later; `None` if the order of magnitude is not known yet, or the source
    /// states everything.
    pub fn knowledge(&self, zone: &str, source: &str) -> Option<Knowledge> {
        let estimator = self.estimator.as_ref().filter(|_| self.is_seen())?;
        let own: Vec<_> = self.slots.iter().collect();
        let places: Vec<usize> = (0..FEATURES.len()).chain(own.iter().map(|(slot, _)| FEATURES.len() + slot)).collect();
        Some(Knowledge {
            zone: zone.to_owned(),
            source: source.to_owned(),
            method: METHOD,
            has_events: self.kind.has_events,
            scale: self.scale,
            features: FEATURES.iter().map(|feature| feature.as_str().to_owned()).collect(),
            functions: own.iter().map(|(_, function)| Some(*function)).collect(),
            mean: places.iter().map(|&place| estimator.mean()[place]).collect(),
            covariance: estimator.covariance_of(&places),
        })
    }

    /// Starts from what was learned earlier, with a wider covariance. What does not fit this method is ignored: returns
    /// whether it was taken up.
    pub fn recall(&mut self, knowledge: &Knowledge) -> bool {
        let count = FEATURES.len() + knowledge.functions.len();
        let names = FEATURES.iter().map(|feature| feature.as_str());
        let fits = knowledge.method == METHOD
            && knowledge.features.iter().map(String::as_str).eq(names)
            && knowledge.functions.len() <= FUNCTIONS_MAX
            && knowledge.mean.len() == count
            && knowledge.covariance.len() == count * count
            && knowledge.scale > 0.0
            && knowledge.mean.iter().chain(&knowledge.covariance).all(|value| value.is_finite())
            && (0..count).all(|place| knowledge.covariance[place * (count + 1)] >= 0.0);
        if !fits || self.state == LearningState::Stated {
            return false;
        }
        self.kind.has_events = knowledge.has_events;
        self.scale = knowledge.scale;
        self.seen = (CPU_SECONDS_MIN, 0.0);
        let mut estimator = Estimator::new(&self.kind.priors(self.scale), SEEN);
        estimator.recall(&knowledge.mean, &knowledge.covariance, SINCE, self.scale);
        self.slots = Slots::recall(&knowledge.functions);
        for (slot, _) in knowledge.functions.iter().enumerate().filter(|(_, function)| function.is_none()) {
            estimator.reset(FEATURES.len() + slot);
        }
        self.estimator = Some(estimator);
        self.residuals = Residuals::default();
        self.trial = (!without(Part::Trial)).then(Trial::default);
        true
    }
}

impl Estimator {
    /// The covariance of these coefficients, row by row.
    fn covariance_of(&self, places: &[usize]) -> Vec<f64> {
        places.iter().flat_map(|&row| places.iter().map(move |&place| self.covariance[row][place])).collect()
    }

    /// Takes the first coefficients from `mean` and `covariance`, and adds the relative deviation `since`: to those of
    /// functions, which deviate from what CPU time costs, that part of this cost.
    fn recall(&mut self, mean: &[f64], covariance: &[f64], since: f64, scale: f64) {
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
            let size = if place < FEATURES.len() { value } else { scale };
            self.covariance[place][place] += (since * size).powi(2);
        }
    }
}
