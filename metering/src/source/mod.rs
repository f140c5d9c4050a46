//! Energy sources. A source reads counters; it does not attribute energy and does not remember readings.

pub(crate) mod counter_file;
pub mod fallback;
pub mod hwmon;
pub mod model;
pub mod perf;
pub mod powercap;
#[cfg(feature = "rapl-energy")]
pub mod rapl_energy;
mod stated;

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

pub use self::stated::Stated;
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::zone::Zone;

/// The source of a figure. Every figure carries it. Ordered by trustworthiness, best first.
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
    /// A model of the processor, driven by its utilization. An estimate, not a measurement.
    Model,
    /// A simulated machine for demonstrations and tests. Nothing is measured.
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

/// What one needs to know about a counter to interpret its readings.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterSpec {
    /// The source that reads it.
    pub source: SourceKind,
    /// What it counts.
    pub zone: Zone,
    /// The highest value before it wraps to zero (`max_energy_range_uj`); `None` if it never wraps.
    pub range: Option<Microjoules>,
    /// Most power the zone can draw. A difference that implies more is not believed.
    pub watts_max: Watts,
    /// Smallest step of the counter.
    pub quantum: Microjoules,
    /// Error of the counter itself, as a fraction at 95 % confidence. Zero if the quantum covers everything.
    pub relative_error: f64,
    /// Power of the zone when nothing runs, if the source knows it. Otherwise it is learned.
    pub base: Option<Watts>,
    /// What work costs in the zone, if the source states it. Otherwise it is learned.
    pub stated: Option<Stated>,
}

/// Why a counter gave no reading.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be read: it is gone or forbidden, or the hardware did not answer.
    #[error("cannot read the energy counter `{}`", path.display())]
    ReadCounter { path: PathBuf, source: std::io::Error },
    /// The file was read and does not hold a number of microjoules.
    #[error("the energy counter `{}` reads `{text}`, which is not a number of microjoules", path.display())]
    ParseCounter { path: PathBuf, text: String },
    /// A perf event could not be read.
    #[error("cannot read the energy event `{event}`")]
    ReadEvent { event: Box<str>, source: std::io::Error },
    /// Another source is read instead of this one. Nothing is missing.
    #[error("the source is on standby")]
    Standby,
    /// The zone has disappeared. It may come back.
    #[error("the zone is no longer there")]
    ZoneGone,
}

/// Reads how much energy has been used.
pub trait Source: Send {
    /// Which source this is.
    fn kind(&self) -> SourceKind;

    /// The counters, in the order of the readings. The list only grows: a zone that has disappeared keeps its place and
    /// reads [`ReadError::ZoneGone`] until it comes back.
    fn counters(&self) -> &[CounterSpec];

    /// Reads every counter once, in order. Clears `readings` first.
    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>);

    /// Describes in one sentence what the figures are based on.
    fn describe(&self) -> String;

    /// Why this source is read and not a better one, if there was a choice.
    fn reason(&self) -> Option<String> {
        None
    }

    /// The last switch to another source, if there was one.
    fn last_switch(&self) -> Option<&Switch> {
        None
    }
}

/// A switch to another source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Number of this switch, counted from one.
    pub number: u64,
    /// The source before the switch.
    pub from: SourceKind,
    /// The source after the switch.
    pub to: SourceKind,
    /// Whether `to` is the better source.
    pub is_better: bool,
    /// What caused the switch, as a sentence.
    pub cause: String,
}
