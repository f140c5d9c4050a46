//! What an energy counter covers, and whether its energy may be added to that of others.

use std::fmt;

/// The part of the machine that a counter covers, in the words of the kernel.
///
/// Source: Linux `Documentation/power/powercap/powercap.rst` and `drivers/powercap/intel_rapl_common.c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A processor package with its cores, caches and memory controller.
    Package,
    /// The cores of a package; inside [`Domain::Package`].
    Core,
    /// Everything that is neither core nor memory controller, usually the graphics unit; inside [`Domain::Package`].
    Uncore,
    /// Memory. A subzone in the tree, but outside the energy of its package.
    Dram,
    /// The platform, which contains the packages.
    Psys,
    /// The whole machine, if a source has exactly one sensor for it.
    Platform,
    /// A domain that this crate does not know. Shown, never added.
    Other(Box<str>),
}

impl Domain {
    /// Its name, as the kernel gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
            Self::Platform => "platform",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Identity of a counter: what it covers, and in which package. Two readings of the same zone continue each other,
/// whatever file they came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone {
    /// What it covers.
    pub domain: Domain,
    /// The package as the kernel numbers it: `0`, `1`, or `0-die-1` if a package has several counters. Empty if the
    /// zone belongs to no package.
    pub package: Box<str>,
}

impl Zone {
    /// A zone of the given domain and package.
    #[must_use]
    pub fn new(domain: Domain, package: &str) -> Self {
        Self { domain, package: package.into() }
    }

    /// Whether the energy of this zone overlaps with no other additive zone, so that they add up to that of the
    /// machine. Only additive zones have accounts.
    #[must_use]
    pub fn is_additive(&self) -> bool {
        matches!(self.domain, Domain::Package | Domain::Dram | Domain::Platform)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.package.is_empty() {
            write!(f, "{}", self.domain)
        } else {
            write!(f, "{}-{}", self.domain, self.package)
        }
    }
}
