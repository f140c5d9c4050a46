//! Frequency licences: a core that executes wide vector instructions runs slower, and for a while after.

use std::time::Duration;

/// Frequency of a core while it holds the licence for wide vector instructions.
///
/// Source: Intel, "Xeon Processor Scalable Family Specification Update", turbo tables: with all cores of a Platinum 8180
/// busy 2.8 GHz in the middle licence (AVX2) and 3.2 GHz without; Intel 64 and IA-32 Architectures
/// Optimization Reference Manual, "Skylake Server Power Management": a core keeps its licence about 2 ms after the last
/// such instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Licences {
    /// Frequency with the licence, relative to that without.
    pub frequency: f64,
    /// How long a core keeps the licence.
    pub kept: Duration,
}

impl Licences {
    /// As on Skylake servers.
    #[must_use]
    pub fn skylake_server() -> Self {
        Self { frequency: 0.875, kept: Duration::from_millis(2) }
    }
}
