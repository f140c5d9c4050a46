//! Why there are no counters, and why one of them is not reported.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

use crate::zone::Zone;

/// Why no energy can be read at all. Each variant has another remedy.
#[derive(Debug, Error)]
pub enum OpenPowercapError {
    /// There is no powercap class: another system, or a kernel or a virtual machine without it.
    #[error("there is no powercap class `{}`", path.display())]
    NoClass {
        /// Where it would be.
        path: PathBuf,
    },
    /// The class is there and cannot be listed.
    #[error("cannot list the powercap class `{}`", path.display())]
    ListClass {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The class is there and has no RAPL zone: the driver is not loaded, or the processor has none.
    #[error("the powercap class `{}` has no RAPL zone", path.display())]
    NoZone {
        /// The directory.
        path: PathBuf,
    },
    /// The zones' links are there and lead nowhere: a container runtime hides `/sys/devices/virtual/powercap`. The
    /// real directory has to be mounted elsewhere and the root pointed at it.
    ///
    /// Source: GHSA-jq35-85cj-fj4p.
    #[error("the RAPL zones in `{}` are masked by the container runtime", path.display())]
    Masked {
        /// The directory.
        path: PathBuf,
    },
    /// Zones are there, but neither a package nor memory, so that nothing may be added up.
    #[error("no zone in `{}` is a package or memory", path.display())]
    NoAdditiveZone {
        /// The directory.
        path: PathBuf,
    },
    /// Zones of packages or memory are there, and this process may read none of them. Since Linux 5.10 only root
    /// may, or a process in which `CAP_DAC_READ_SEARCH` is effective.
    ///
    /// Source: CVE-2020-8694.
    #[error("may not read any package or memory, the first being `{}`", path.display())]
    Forbidden {
        /// The first such zone.
        path: PathBuf,
        /// What stands in the way there.
        source: ZoneObstacle,
    },
    /// Zones of packages or memory, or ones that cannot be told, are there, and none can be read.
    #[error("cannot read any package or memory, the first being `{}`", path.display())]
    ReadZones {
        /// The first such zone.
        path: PathBuf,
        /// What stands in the way there.
        source: ZoneObstacle,
    },
}

/// What stands in the way of one zone's being reported.
#[derive(Debug, Error)]
pub enum ZoneObstacle {
    /// The link to the zone leads nowhere, as a container runtime leaves it.
    #[error("masked by the container runtime")]
    Masked,
    /// A file of the zone does not exist.
    #[error("`{file}` is missing")]
    Missing {
        /// Its name.
        file: &'static str,
    },
    /// A file of the zone may not be read by this process.
    #[error("`{file}` is forbidden")]
    Forbidden {
        /// Its name.
        file: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of the zone cannot be read for another reason.
    #[error("cannot read `{file}`")]
    Read {
        /// Its name.
        file: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The zone's name is empty, overlong or not text, so that it cannot be told what is counted.
    #[error("`{text}` is no name of a zone")]
    ParseName {
        /// The text, shortened.
        text: String,
    },
    /// The zone's counter holds no number of microjoules.
    #[error("`energy_uj` reads `{text}`, which is not a number of microjoules")]
    ParseCounter {
        /// The text, shortened.
        text: String,
    },
    /// The zone lies inside one that is not known, so that it cannot be told to which package it belongs.
    #[error("the zone around it is not known")]
    Orphan,
    /// Another zone has the same name in the same package, and is read instead.
    #[error("has the same name as `{}`", of.display())]
    Duplicate {
        /// The zone that is read.
        of: PathBuf,
    },
    /// The zone may show the register of another die of its package, and has not been seen to differ enough.
    #[error("may show the counter of `{of}` once more")]
    SuspectedMirror {
        /// The zone that is reported.
        of: Zone,
    },
    /// The zone came back with another range than it had, so that its readings do not continue the old ones.
    #[error("came back with another range")]
    RangeChanged,
}

impl ZoneObstacle {
    /// Whether nothing is lost: another zone is reported that shows the same energy, or may.
    #[must_use]
    pub fn is_repetition(&self) -> bool {
        matches!(self, Self::Duplicate { .. } | Self::SuspectedMirror { .. })
    }

    pub(super) fn is_suspicion(&self) -> bool {
        matches!(self, Self::SuspectedMirror { .. })
    }

    /// The obstacle that an error with a file of the zone makes.
    pub(super) fn from_io(file: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { file },
            io::ErrorKind::PermissionDenied => Self::Forbidden { file, source },
            _ => Self::Read { file, source },
        }
    }
}

/// A zone that exists and is not reported.
#[derive(Debug)]
pub struct SkippedZone {
    /// The zone's directory.
    pub path: PathBuf,
    /// What it counts, where its name could be read.
    pub zone: Option<Zone>,
    /// What stands in the way.
    pub obstacle: ZoneObstacle,
}

impl fmt::Display for SkippedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display())?;
        if let Some(zone) = &self.zone {
            write!(f, " ({zone})")?;
        }
        write!(f, ": {}", self.obstacle)
    }
}
