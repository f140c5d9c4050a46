//! Chooses and opens the energy source.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use nebula_metering::source::fallback::{Candidate, Fallback, NoSource};
use nebula_metering::source::hwmon::Hwmon;
use nebula_metering::source::model::Model;
use nebula_metering::source::perf::Perf;
use nebula_metering::source::powercap::Powercap;
use nebula_metering::source::{Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_simulator::Demonstration;
use thiserror::Error;

use super::open_clock;

/// Why a source that the user named was chosen.
const ASKED_FOR: &str = "asked for";

/// The seed of the simulated machine: always the same, so that a demonstration can be repeated.
const SEED: u64 = 1;

/// What the figures of a source are worth, in a word or two.
#[must_use]
pub fn nature(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Simulated => "made up, nothing is measured",
        kind if kind.is_measured() => "measured",
        _ => "an estimate, not measured",
    }
}

/// The option `source`, unless it is `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best that works, by the order of [`SOURCES`]; the next best while it fails.
    Auto,
    Only(SourceKind),
}

impl Choice {
    /// Every choice of this build, by its name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let named = SOURCES.iter().map(|known| (known.kind.as_str(), Self::Only(known.kind)));
        std::iter::once(("auto", Self::Auto)).chain(named)
    }
}

/// Where sysfs and procfs are mounted.
#[derive(Clone, Debug)]
struct Roots {
    sysfs: PathBuf,
    procfs: PathBuf,
}

type Opened = Result<Box<dyn Source>, Box<dyn Error + Send + Sync>>;

/// A source that is part of this program.
struct Known {
    kind: SourceKind,
    /// Whether [`Choice::Auto`] may choose it.
    in_auto: bool,
    open: fn(&Roots) -> Opened,
}

/// All sources, in the order in which [`Choice::Auto`] tries them.
///
/// `powercap` first: it needs nothing but files that may be read, works in containers, and its zones are the best
/// documented. `perf` reads the same registers, but needs `CAP_PERFMON`, or a kernel that lets everyone count the whole
/// machine. `hwmon` is coarser: many of its sensors tell power a few times a second, or of the whole board. The model
/// measures nothing and comes last. What is made up is never taken unless it is named; nor is `rapl-energy`, which reads
/// what `powercap` reads.
const SOURCES: &[Known] = &[
    known(SourceKind::Powercap, true, |at| boxed(Powercap::open(&at.sysfs))),
    known(SourceKind::Perf, true, |at| boxed(Perf::open(&at.sysfs, &at.procfs))),
    known(SourceKind::Hwmon, true, |at| boxed(Hwmon::open(&at.sysfs))),
    known(SourceKind::Model, true, |at| boxed(Model::open(&at.procfs, &at.sysfs))),
    known(SourceKind::Simulated, false, |_| Ok(Box::new(Demonstration::open(processors(), SEED)))),
    #[cfg(feature = "rapl-energy")]
    known(SourceKind::RaplEnergy, false, |_| boxed(nebula_metering::source::rapl_energy::RaplEnergy::open())),
];

const fn known(kind: SourceKind, in_auto: bool, open: fn(&Roots) -> Opened) -> Known {
    Known { kind, in_auto, open }
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn boxed<S: Source + 'static, E: Error + Send + Sync + 'static>(opened: Result<S, E>) -> Opened {
    Ok(Box::new(opened?))
}

/// A source that works.
pub struct OpenedSource {
    pub source: Box<dyn Source>,
    /// Why this one, unless the source itself says so.
    pub reason: &'static str,
}

/// Why a source cannot be used.
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
pub fn open(choice: Choice, sysfs_root: &Path, procfs_root: &Path) -> Result<OpenedSource, SourceError> {
    let roots = Roots { sysfs: sysfs_root.into(), procfs: procfs_root.into() };
    let source: Box<dyn Source> = match choice {
        Choice::Only(kind) => {
            let known = SOURCES.iter().find(|known| known.kind == kind).ok_or(SourceError::NotHere(kind))?;
            (known.open)(&roots).map_err(|source| SourceError::Open { kind, source })?
        }
        Choice::Auto => {
            let ranked = ranked().map(|known| candidate(known, roots.clone()));
            Box::new(Fallback::open(ranked.collect(), &now(&roots))?)
        }
    };
    if source.kind() == SourceKind::Simulated {
        tracing::warn!("the energy source is simulated: nothing is measured, and every joule is made up");
    }
    Ok(OpenedSource { source, reason: ASKED_FOR })
}

/// The sources that [`Choice::Auto`] may choose, the best first.
fn ranked() -> impl Iterator<Item = &'static Known> {
    SOURCES.iter().filter(|known| known.in_auto)
}

fn candidate(known: &Known, roots: Roots) -> Candidate {
    let open = known.open;
    Candidate::new(known.kind, Box::new(move || open(&roots)))
}

/// A moment to try sources at. If the clock cannot be read, whoever needs it reports that.
fn now(roots: &Roots) -> Moment {
    let now = open_clock(&roots.procfs, &roots.sysfs).ok().and_then(|mut clock| clock.now().ok());
    now.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_never_takes_what_is_made_up_and_the_model_last() {
        let ranked: Vec<_> = ranked().map(|known| known.kind).collect();
        assert_eq!(ranked, [SourceKind::Powercap, SourceKind::Perf, SourceKind::Hwmon, SourceKind::Model]);
        assert!(ranked.is_sorted(), "what is better to read is better to trust");
    }

    #[test]
    fn every_choice_has_its_own_name() {
        let names: Vec<_> = Choice::all().map(|(name, _)| name).collect();
        assert_eq!(names[..6], ["auto", "powercap", "perf", "hwmon", "model", "simulated"]);
        assert_eq!(names.get(6).copied(), cfg!(feature = "rapl-energy").then_some("rapl-energy"));
    }

    #[test]
    fn nothing_stands_in_for_what_was_named() {
        let nowhere = Path::new("/nonexistent");
        for kind in [SourceKind::Powercap, SourceKind::Perf, SourceKind::Hwmon, SourceKind::Model] {
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
