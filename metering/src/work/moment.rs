//! A point in time, and the work done until then.

use std::time::Duration;

/// More packages than any machine that Linux runs on without a node controller of its maker's.
pub const PACKAGES_MAX: usize = 8;

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
    /// `busy` by package, as far as the machine tells it: coarse, and only good for shares.
    pub packages: [Duration; PACKAGES_MAX],
    /// At what frequency processors have worked since the last moment, in millionths of the highest they reach; `None`
    /// where nobody tells.
    pub frequency_ppm: Option<u32>,
}
