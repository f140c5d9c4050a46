//! The state of a simulation.

use std::time::Duration;

use super::climate::Climate;
use super::host::Host;
use super::neighbourhood::Neighbourhood;
use super::schedule::Schedule;
use crate::accounts::Accounts;
use crate::board::SharedBoard;
use crate::hardware::Hardware;
use crate::random::Random;
use crate::settings::{HostClock, RuntimeLoad};
use crate::slots::{Presence, Slots};
use nebula_metering::work::PACKAGES_MAX;

/// A machine in virtual time, with a daemon on it that runs calls.
#[derive(Debug)]
pub struct Simulation {
    pub(super) now: u64,
    /// Next update of registers and frequencies.
    pub(super) update: u64,
    /// Time asleep, by which `CLOCK_BOOTTIME` is ahead.
    pub(super) slept: Duration,
    /// Time until which the registers have all energy.
    pub(super) flushed: u64,
    /// Active time of each package until then, and fractions of a nanojoule.
    pub(super) active: Vec<u64>,
    pub(super) carries: Vec<f64>,
    pub(super) random: Random,
    pub(super) board: SharedBoard,
    pub(super) hardware: Hardware,
    pub(super) accounts: Accounts,
    pub(super) schedule: Schedule,
    pub(super) slots: Slots,
    pub(super) host: Host,
    pub(super) neighbours: Option<Neighbourhood>,
    /// What each package draws while it is busy, and while it is not.
    pub(super) presence: Vec<Presence>,
    pub(super) climates: Vec<Climate>,
    /// What something beside the processors draws from the first package's supply.
    pub(super) extra_watts: f64,
    pub(super) runtime: RuntimeLoad,
    pub(super) pmu: bool,
    pub(super) tick: u64,
    pub(super) host_clock: HostClock,
    /// Mean frequency in the last stretch, in millionths of the highest.
    pub(super) frequency_ppm: Option<u32>,
    pub(super) packages_ppm: [u32; PACKAGES_MAX],
}

pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
