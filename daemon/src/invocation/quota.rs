//! What one function, or one token, may use.

use nebula_metering::Joules;
use serde::Serialize;

/// What one function, or one token, may use; `None` where nothing bounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quota {
    /// Calls a second, on average over a second.
    pub calls_per_second: Option<u32>,
    /// Calls at once.
    pub concurrency: Option<u32>,
    /// Active energy within any hour.
    #[serde(skip)]
    pub joules_per_hour: Option<Joules>,
}
