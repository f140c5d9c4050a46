//! What it took until a function could be called: its code compiled, or found in the cache, and linked.

use std::time::Duration;

use nebula_metering::Charge;
use nebula_metering::work::Work;

use crate::meter::{ColdStartCharge, NoCharge, Off};
use nebula_runtime::Found;

/// What it took until a function could be called.
#[derive(Debug)]
pub struct ColdStart {
    /// Whether its code had to be compiled.
    pub found: Found,
    /// From reading its file to its being ready.
    pub duration: Duration,
    /// What that took from the processor.
    pub work: Result<Work, Off>,
    charge: ColdStartCharge,
}

impl ColdStart {
    /// One whose charge comes to `charge`.
    #[must_use]
    pub fn new(found: Found, duration: Duration, work: Result<Work, Off>, charge: ColdStartCharge) -> Self {
        Self { found, duration, work, charge }
    }

    /// What it was charged, once that is known.
    #[must_use]
    pub fn charge(&self) -> Option<&Result<Charge, NoCharge>> {
        self.charge.get()
    }
}
