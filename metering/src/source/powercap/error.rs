//! Errors of the powercap source.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

use crate::zone::Zone;

/// Why no zone can be used. Each variant has its own remedy.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenPowercapError {
    /// There is no powercap class: another architecture, or a kernel or virtual machine without it.
    #[error("there is no powercap class `{}`", path.display())]
    NoClass { path: PathBuf },
    /// The class exists but cannot be listed.
    #[error("cannot list the powercap class `{}`", path.display())]
    ListClass { path: PathBuf, source: io::Error },
    /// The class has no RAPL zone: the driver is not loaded, or the processor has none.
    #[error("the powercap class `{}` has no RAPL zone", path.display())]
    NoZone { path: PathBuf },
    /// The links to the zones are dangling: a container runtime masks `/sys/devices/virtual/powercap`. Mount the real
    /// directory elsewhere and point the root at it.
    ///
    /// Source: GHSA-jq35-85cj-fj4p.
    #[error("the RAPL zones in `{}` are masked by the container runtime", path.display())]
    Masked { path: PathBuf },
    /// There are zones, but none for a package or memory, so nothing can be added up.
    #[error("no zone in `{}` covers a package or memory", path.display())]
    NoAdditiveZone { path: PathBuf },
    /// There are zones for packages or memory, but this process may not read any. Since Linux 5.10 that takes root or
    /// an effective `CAP_DAC_READ_SEARCH`.
    ///
    /// Source: CVE-2020-8694.
    #[error("no permission to read any package or memory zone, the first being `{}`", path.display())]
    Forbidden { path: PathBuf, source: ZoneObstacle },
    /// There are zones for packages or memory, or zones of unknown kind, but none can be read.
    #[error("cannot read any package or memory zone, the first being `{}`", path.display())]
    ReadZones { path: PathBuf, source: ZoneObstacle },
}

/// Why one zone is not used.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum ZoneObstacle {
    /// The link to the zone is dangling, as container runtimes leave it.
    #[error("masked by the container runtime")]
    Masked,
    /// A file of the zone does not exist.
    #[error("`{file}` is missing")]
    Missing { file: &'static str },
    /// A file of the zone may not be read by this process.
    #[error("no permission to read `{file}`")]
    Forbidden { file: &'static str, source: io::Error },
    /// A file of the zone cannot be read for another reason.
    #[error("cannot read `{file}`")]
    Read { file: &'static str, source: io::Error },
    /// The name of the zone is empty, too long or not text, so what it counts is unknown.
    #[error("`{text}` is not the name of a zone")]
    ParseName { text: String },
    /// The counter of the zone is not a number of microjoules.
    #[error("`energy_uj` reads `{text}`, which is not a number of microjoules")]
    ParseCounter { text: String },
    /// The parent zone is unknown, and with it the package.
    #[error("its parent zone is unknown")]
    Orphan,
    /// Another zone has the same name in the same package and is read instead.
    #[error("has the same name as `{}`", of.display())]
    Duplicate {
        /// The zone that is read.
        of: PathBuf,
    },
    /// The zone may show the register of another die of its package: their readings have not differed enough yet.
    #[error("may show the same counter as `{of}`")]
    SuspectedMirror {
        /// The zone that is reported.
        of: Zone,
    },
    /// The zone came back with a different range, so its readings do not continue the old ones.
    #[error("came back with a different range")]
    RangeChanged,
}

impl ZoneObstacle {
    /// Whether no energy is lost, because another zone shows (or may show) the same energy.
    #[must_use]
    pub fn is_repetition(&self) -> bool {
        matches!(self, Self::Duplicate { .. } | Self::SuspectedMirror { .. })
    }

    pub(super) fn is_suspicion(&self) -> bool {
        matches!(self, Self::SuspectedMirror { .. })
    }

    pub(super) fn from_io(file: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { file },
            io::ErrorKind::PermissionDenied => Self::Forbidden { file, source },
            _ => Self::Read { file, source },
        }
    }
}

/// A zone that exists but is not used.
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
