//! Where energy readings come from. A source reads; it neither attributes nor remembers what it has read.

pub(crate) mod counter_file;
pub mod fallback;
pub mod hwmon;
pub mod model;
pub mod perf;
pub mod powercap;
#[cfg(feature = "rapl-energy")]
pub mod rapl_energy;

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::zone::Zone;

/// Which source a figure comes from. Every figure carries it. Ordered by how far it is to be trusted, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// The kernel's powercap class: the processor's own energy counters (RAPL).
    Powercap,
    /// The kernel's `power` PMU: the same counters through perf events.
    Perf,
    /// Energy and power sensors of the hardware monitoring class.
    Hwmon,
    /// The crate `rapl-energy`.
    RaplEnergy,
    /// A model of the processor, fed with its utilisation. An estimate, not a measurement.
    Model,
    /// A made-up machine for demonstrations and tests. Nothing is measured.
    Simulated,
}

impl SourceKind {
    /// Whether the figures were measured, not modelled.
    #[must_use]
    pub fn is_measured(self) -> bool {
        match self {
            Self::Powercap | Self::Perf | Self::Hwmon | Self::RaplEnergy => true,
            Self::Model | Self::Simulated => false,
        }
    }

    /// The name used in labels, answers and options.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Powercap => "powercap",
            Self::Perf => "perf",
            Self::Hwmon => "hwmon",
            Self::RaplEnergy => "rapl-energy",
            Self::Model => "model",
            Self::Simulated => "simulated",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What must be known of a counter before its readings mean anything.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterSpec {
    /// Where its readings come from.
    pub source: SourceKind,
    /// What it counts.
    pub zone: Zone,
    /// The highest value it shows before it starts again at zero (`max_energy_range_uj`), or `None` for one that
    /// never wraps.
    pub range: Option<Microjoules>,
    /// More than this the zone cannot draw: a difference that implies more is not believed.
    pub watts_max: Watts,
    /// The smallest step that the counter makes.
    pub quantum: Microjoules,
    /// By how much the counter itself may be off, as a fraction of the figure at 95 % confidence. Zero for one whose
    /// quantum says everything.
    pub relative_error: f64,
    /// What the zone draws when nothing runs, where the source knows it; otherwise it is learned.
    pub base: Option<Watts>,
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
    /// A perf event could not be read.
    #[error("cannot read the energy event `{event}`")]
    ReadEvent {
        /// The event's name.
        event: Box<str>,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Another source is being read in this one's stead. Nothing is missing.
    #[error("the source stands by")]
    Standby,
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

    /// One sentence for people: what the figures rest on.
    fn describe(&self) -> String;

    /// Why this source is read and no better one, where there was a choice.
    fn reason(&self) -> Option<String> {
        None
    }

    /// How the source that is read came to be another than before, the last time that it did.
    fn last_switch(&self) -> Option<&Switch> {
        None
    }
}

/// Another source is read from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Counts switches, from one.
    pub number: u64,
    /// What was read before.
    pub from: SourceKind,
    /// What is read now.
    pub to: SourceKind,
    /// Whether that is the better one.
    pub is_better: bool,
    /// Why.
    pub cause: String,
}
