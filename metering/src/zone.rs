//! What a power counter covers, and whether its energy may be added to that of other counters.

use std::fmt;

/// The part of a machine whose energy one counter counts, in the kernel's words.
///
/// Source: Linux `Documentation/power/powercap/powercap.rst` and `drivers/powercap/intel_rapl_common.c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A whole processor package with its cores, caches and memory controller.
    Package,
    /// The cores of a package; lies inside [`Domain::Package`].
    Core,
    /// What is neither core nor memory controller, as a rule the graphics unit; lies inside [`Domain::Package`].
    Uncore,
    /// Memory; a subzone in the tree, but outside the energy of its package.
    Dram,
    /// The platform; contains the packages.
    Psys,
    /// The whole machine, as seen by the only sensor that it has. Where a source has several, none of them is this.
    Platform,
    /// A domain that the kernel names and this crate does not know. Shown, never added.
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

/// One counter's identity: what it covers, and in which package. Two readings with the same zone continue each
/// other, whatever file they came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone {
    /// What is covered.
    pub domain: Domain,
    /// The package as the kernel numbers it: `0`, `1`, or `0-die-1` where one package holds several counters.
    /// Empty where the zone belongs to no package.
    pub package: Box<str>,
}

impl Zone {
    /// A zone of the given domain and package.
    #[must_use]
    pub fn new(domain: Domain, package: &str) -> Self {
        Self { domain, package: package.into() }
    }

    /// Whether this zone's energy overlaps with none of the other additive zones, so that adding them gives the
    /// machine's. Only additive zones have accounts.
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
