//! Chooses and opens the energy source.

use std::path::Path;

use nebula_metering::source::model::{self, Model};
use nebula_metering::source::powercap::{self, Powercap};
use nebula_metering::source::{Source, SourceKind};
use thiserror::Error;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best that answers.
    Auto,
    /// This one or none.
    Only(SourceKind),
}

/// A source that answers.
pub struct OpenedSource {
    /// The source.
    pub source: Box<dyn Source>,
    /// Why this one.
    pub reason: String,
}

/// The source asked for cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Powercap was asked for by name.
    #[error("the source `powercap` cannot be used; `nebula doctor` tells what is missing")]
    Powercap(#[source] powercap::OpenError),
    /// It is not part of this program.
    #[error("the source `{0}` is not part of this program")]
    NotHere(SourceKind),
    /// The model needs to know the processors.
    #[error("the source `model` cannot be used")]
    Model(#[source] model::OpenError),
}

/// Opens what was chosen, below the roots given.
///
/// # Errors
/// When it cannot be opened; with [`Choice::Auto`] only when even the model cannot.
pub fn open(choice: Choice, sysfs_root: &Path, procfs_root: &Path) -> Result<OpenedSource, SourceError> {
    let opened = |source: Box<dyn Source>, reason| OpenedSource { source, reason };
    let model = || Model::open(procfs_root, sysfs_root).map(Box::new).map_err(SourceError::Model);
    match choice {
        Choice::Only(
            kind @ (SourceKind::Perf | SourceKind::Hwmon | SourceKind::RaplEnergy | SourceKind::Simulated),
        ) => Err(SourceError::NotHere(kind)),
        Choice::Only(SourceKind::Model) => Ok(opened(model()?, "asked for".into())),
        Choice::Only(SourceKind::Powercap) => {
            let source = Powercap::open(sysfs_root).map_err(SourceError::Powercap)?;
            Ok(opened(Box::new(source), "asked for".into()))
        }
        Choice::Auto => match Powercap::open(sysfs_root) {
            Ok(source) => Ok(opened(Box::new(source), "the machine's own energy counters answer".into())),
            Err(error) => Ok(opened(model()?, format!("no energy counters: {}", crate::causes::chain(&error)))),
        },
    }
}
