//! Chooses and opens the energy source.

use std::error::Error;
use std::path::Path;
use std::thread::available_parallelism;

use nebula_api::energy::WorkModel;
use nebula_metering::source::fallback::{Fallback, NoSource, RANKED};
#[cfg(feature = "rapl-energy")]
use nebula_metering::source::rapl_energy::RaplEnergy;
use nebula_metering::source::{Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_simulator::Demonstration;
use thiserror::Error;

use super::open_clock;

/// The seed of the simulated machine: always the same, so that a demonstration can be repeated.
const SEED: u64 = 1;

/// What the figures of a source are worth, in a word or two.
pub fn nature(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Simulated => "made up, nothing is measured",
        kind if kind.is_measured() => "measured",
        _ => "an estimate, not measured",
    }
}

/// What the joules of a source follow from if they are modelled.
pub fn work_model(source: &str, counts_events: bool) -> Option<WorkModel> {
    let model = if counts_events { WorkModel::CpuTimeAndEvents } else { WorkModel::CpuTime };
    (source == SourceKind::Model.as_str()).then_some(model)
}

/// The option `source`, unless it is `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best of [`RANKED`] that works; the next best while it fails.
    Auto,
    Only(SourceKind),
}

impl Choice {
    /// Every choice of this build, by its name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let mut kinds = Vec::from(RANKED.map(|(kind, _)| kind));
        kinds.push(SourceKind::Simulated);
        if cfg!(feature = "rapl-energy") {
            kinds.push(SourceKind::RaplEnergy);
        }
        std::iter::once(("auto", Self::Auto)).chain(kinds.into_iter().map(|kind| (kind.as_str(), Self::Only(kind))))
    }
}

#[derive(Debug, Error)]
pub enum SourceError {
    #[error("the source `{kind}` cannot be used; run `nebula doctor` to see what is missing")]
    Open { kind: SourceKind, source: Box<dyn Error + Send + Sync> },
    /// This build does not have it.
    #[error("the source `{0}` is not part of this build")]
    NotHere(SourceKind),
    #[error(transparent)]
    None(#[from] NoSource),
}

/// Opens the chosen source.
///
/// # Errors
/// If it cannot be opened; with [`Choice::Auto`] only if even the model cannot.
pub fn open(choice: Choice, sysfs_root: &Path, procfs_root: &Path) -> Result<Box<dyn Source>, SourceError> {
    match choice {
        Choice::Auto => Ok(Box::new(Fallback::of_machine(sysfs_root, procfs_root, &now(sysfs_root, procfs_root))?)),
        Choice::Only(SourceKind::Simulated) => {
            tracing::warn!("the energy source is simulated: nothing is measured, and every joule is made up");
            let processors = available_parallelism().map_or(1, usize::from);
            Ok(Box::new(Demonstration::open(processors, SEED)))
        }
        #[cfg(feature = "rapl-energy")]
        Choice::Only(kind @ SourceKind::RaplEnergy) => match RaplEnergy::open() {
            Ok(source) => Ok(Box::new(source)),
            Err(source) => Err(SourceError::Open { kind, source: source.into() }),
        },
        Choice::Only(kind) => {
            let (_, open) = RANKED.into_iter().find(|(known, _)| *known == kind).ok_or(SourceError::NotHere(kind))?;
            open(sysfs_root, procfs_root).map_err(|source| SourceError::Open { kind, source })
        }
    }
}

/// A moment to try sources at. If the clock cannot be read, whoever needs it reports that.
fn now(sysfs_root: &Path, procfs_root: &Path) -> Moment {
    let now = open_clock(procfs_root, sysfs_root).ok().and_then(|mut clock| clock.now().ok());
    now.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_its_own_name() {
        let names: Vec<_> = Choice::all().map(|(name, _)| name).collect();
        assert_eq!(names[..6], ["auto", "powercap", "perf", "hwmon", "model", "simulated"]);
        assert_eq!(names.get(6).copied(), cfg!(feature = "rapl-energy").then_some("rapl-energy"));
    }

    #[test]
    fn a_named_source_that_does_not_open_is_an_error_and_nothing_takes_its_place() {
        let nowhere = Path::new("/nonexistent");
        for (kind, _) in RANKED {
            let error = open(Choice::Only(kind), nowhere, nowhere).err().unwrap();
            assert!(matches!(error, SourceError::Open { kind: of, .. } if of == kind), "{error:?}");
            assert!(error.source().is_some(), "{error:?}");
        }
        let error = open(Choice::Auto, nowhere, nowhere).err().unwrap().to_string();
        for kind in ["`powercap`: ", "`perf`: ", "`hwmon`: ", "`model`: "] {
            assert!(error.contains(kind), "{error}");
        }
    }
}
