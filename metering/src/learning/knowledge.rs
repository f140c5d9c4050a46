//! What was learned about a zone, to be kept beyond this process.

use super::Learner;
use super::estimator::Estimator;
use super::inputs::{COUNT, FEATURES};
use super::priors::SEEN;
use super::residuals::Residuals;

/// Number of the method. What was learned by another one is not taken up.
pub const METHOD: u32 = 1;

/// Relative deviation that is added to every coefficient that was learned earlier: the machine may have changed since.
const SINCE: f64 = 0.03;

/// Windows after which what was recalled is trusted, and the mean square deviation, in units of its variance, above which
/// it is dropped before.
const TRIAL: u32 = 50;
const TRIAL_MAX: f64 = 9.0;

/// Most that one window of the trial counts.
const STRAYED_MAX: f64 = 25.0;

/// What was learned about one zone: means and covariance of the coefficients that do not belong to single functions.
#[derive(Clone, Debug, PartialEq)]
pub struct Knowledge {
    /// Name of the zone.
    pub zone: String,
    /// Name of the source.
    pub source: String,
    /// The method that learned it ([`METHOD`]).
    pub method: u32,
    /// Whether hardware events were counted.
    pub has_events: bool,
    /// Cost of a second of CPU time, in joules, for what was not learned.
    pub scale: f64,
    /// Names of the coefficients, in the order of the others.
    pub features: Vec<String>,
    /// Their means.
    pub mean: Vec<f64>,
    /// Their covariance, row by row.
    pub covariance: Vec<f64>,
}

/// Windows since knowledge was recalled, and the sum of their squared deviations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trial {
    windows: u32,
    squares: f64,
}

impl Trial {
    /// Adds a window that deviates by this many standard deviations. Tells whether the knowledge is refuted, or `None`
    /// when the trial is over.
    pub fn add(&mut self, off: f64) -> Option<bool> {
        self.windows += 1;
        self.squares += (off * off).min(STRAYED_MAX);
        (self.windows <= TRIAL).then_some(self.windows == TRIAL && self.squares > TRIAL_MAX * f64::from(TRIAL))
    }
}

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
        if !fits || self.state == super::LearningState::Stated {
            return false;
        }
        self.kind.has_events = knowledge.has_events;
        self.scale = knowledge.scale;
        self.seen = (super::CPU_SECONDS_MIN, 0.0);
        let mut estimator = Estimator::new(&self.kind.priors(self.scale), SEEN);
        estimator.recall(&knowledge.mean, &knowledge.covariance, SINCE);
        self.estimator = Some(estimator);
        self.residuals = Residuals::default();
        self.trial = Some(Trial::default());
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
