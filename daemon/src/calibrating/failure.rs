//! Why a machine is not calibrated.

use nebula_metering::source::SourceKind;
use nebula_metering::work::host::{OpenHostClockError, ReadHostError};
use thiserror::Error;

use super::processes::Busiest;

#[derive(Debug, Error)]
pub enum CalibrateError {
    #[error(
        "there is nothing to calibrate: the source `{kind}` measures nothing{}; `nebula doctor` says what this machine can \
         measure",
        reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    NotMeasured { kind: SourceKind, reason: Option<String> },
    #[error(
        "the machine is busy: others use {used:.2} of {processors} processors, and at most {most:.2} leave the measurements \
         alone. {busiest}. Try again when they are done, or pass --force to calibrate all the same, with wider intervals"
    )]
    Busy { used: f64, most: f64, processors: usize, busiest: Busiest },
    #[error("the source `{0}` failed while the machine was being calibrated; try again")]
    SourceFailed(SourceKind),
    #[error("nothing was learned: the energy counters of `{0}` did not move as the load did")]
    NothingLearned(SourceKind),
    #[error(transparent)]
    OpenClock(#[from] OpenHostClockError),
    #[error(transparent)]
    ReadClock(#[from] ReadHostError),
}
