//! A point in time, and the work done until then.

use std::time::Duration;

/// Maximum number of packages. Linux runs on no larger machine without a node controller of its vendor.
pub const PACKAGES_MAX: usize = 8;

/// A point in time, and the CPU time used until then. No figure ever decreases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`: stops while the machine sleeps.
    pub monotonic: Duration,
    /// `CLOCK_BOOTTIME`: continues while the machine sleeps.
    pub boottime: Duration,
    /// CPU time of everything on the machine, all processors together; never less than `process`.
    pub busy: Duration,
    /// CPU time of this process.
    pub process: Duration,
    /// `busy` by package, coarse, and only good for shares.
    pub packages: [Duration; PACKAGES_MAX],
    /// Mean frequency of working processors since the last moment, in millionths of the highest; `None` if unknown.
    pub frequency_ppm: Option<u32>,
    /// `frequency_ppm` by package; zero if unknown.
    pub packages_ppm: [u32; PACKAGES_MAX],
}
