//! What was learned about a zone, to be kept beyond this process.

use crate::post::FunctionId;

/// Number of the method. What was learned by another one is not taken up.
pub const METHOD: u32 = 1;

/// Times of learning after which what was recalled is trusted, and the mean square deviation, in units of its variance, above which
/// it is dropped before.
const TRIAL: u32 = 10;
const TRIAL_MAX: f64 = 9.0;

/// Most that one window of the trial counts.
const STRAYED_MAX: f64 = 25.0;

/// What was learned about one zone: means and covariance of the coefficients.
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
    /// Names of the coefficients that all functions share, in the order of the others.
    pub features: Vec<String>,
    /// After them, the functions that have one of their own. Of one that is nobody's any more, nothing is recalled.
    pub functions: Vec<Option<FunctionId>>,
    /// Their means.
    pub mean: Vec<f64>,
    /// Their covariance, row by row.
    pub covariance: Vec<f64>,
}

/// How often was learned since knowledge was recalled, and the sum of their squared deviations.
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
