//! Where energy readings come from. A source reads; it neither attributes nor remembers what it has read.

pub mod model;
pub mod powercap;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::units::{Microjoules, Watts};
use crate::zone::{CounterSpec, Zone};

/// Which source a figure comes from. Every figure carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// The kernel's powercap class: the processor's own energy counters (RAPL).
    Powercap,
    /// A model of the processor, fed with its utilisation. An estimate, not a measurement.
    Model,
}

impl SourceKind {
    /// Whether the figures were measured, not modelled.
    #[must_use]
    pub fn is_measured(self) -> bool {
        match self {
            Self::Powercap => true,
            Self::Model => false,
        }
    }

    /// The name used in labels, answers and options.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Powercap => "powercap",
            Self::Model => "model",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A point in time, with what the processors had done until then. All figures only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`: stands still while the machine sleeps.
    pub monotonic: Duration,
    /// `CLOCK_BOOTTIME`: goes on while the machine sleeps.
    pub boottime: Duration,
    /// CPU time that everything on the machine has used, all processors together; never less than `process`.
    pub busy: Duration,
    /// CPU time that this process has used.
    pub process: Duration,
}

/// Why a counter gave no reading.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be read: gone, forbidden, or the hardware did not answer.
    #[error("cannot read the energy counter `{}`", path.display())]
    ReadCounter {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The file was read and does not hold a number of microjoules.
    #[error("the energy counter `{}` reads `{text}`, which is not a number of microjoules", path.display())]
    ParseCounter {
        /// The file.
        path: PathBuf,
        /// Its text, shortened.
        text: String,
    },
    /// The zone was there and has gone; it may come back.
    #[error("the zone is no longer there")]
    ZoneGone,
}

/// Something that tells how much energy has been used.
pub trait Source: Send {
    /// Which source this is.
    fn kind(&self) -> SourceKind;

    /// The counters, in the order in which [`Source::read`] gives their readings. The list only grows: a zone that
    /// has gone keeps its place and reads [`ReadError::ZoneGone`] until it comes back.
    fn counters(&self) -> &[CounterSpec];

    /// Reads every counter once, in order, into `readings`, which is emptied first.
    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>);

    /// By how much the source itself may be off, as a fraction of the figure at 95 % confidence. Zero for a counter
    /// whose quantum says everything.
    fn relative_error(&self) -> f64 {
        0.0
    }

    /// What a zone draws when nothing runs, where the source knows it; otherwise it is learned.
    fn base_watts(&self, _zone: &Zone) -> Option<Watts> {
        None
    }

    /// One sentence for people: what the figures rest on.
    fn describe(&self) -> String;
}
