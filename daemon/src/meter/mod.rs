//! Joins calls and power: brackets each call, samples the source, hands out estimates at once and settled charges later.

mod ended;
mod energy_meter;
mod known;
mod metering;
mod own_cost;
mod sampler;
mod settings;
mod source_error;
mod sources;

use std::path::Path;

use nebula_metering::work::host::{HostClock, OpenHostClockError};
use nebula_metering::work::topology::Topology;

pub use ended::{CallEnd, ChargeObserver, ColdStartCharge, Ended, NoCharge, NotEstimated, OFF, Off, Seat};
pub use energy_meter::{EnergyMeter, Snapshot, SourceNow};
pub use known::{ZoneKnowledge, ZoneLimits};
pub use metering::{Budget, Exceeded, Metering, Unhealthy};
pub use own_cost::OwnCost;
pub use sampler::{Sampler, SamplerError};
pub use settings::Settings;
pub use sources::{Choice, SourceError, nature, open as open_source, work_model};

/// Opens the clock of the machine whose procfs and sysfs are mounted at these roots.
pub fn open_clock(procfs_root: &Path, sysfs_root: &Path) -> Result<HostClock, OpenHostClockError> {
    HostClock::open(procfs_root, sysfs_root, topology(sysfs_root))
}

/// Packages, cores and processors of the machine whose sysfs is mounted at this root.
pub fn topology(sysfs_root: &Path) -> Topology {
    // If the machine hides its topology, nothing tells its packages apart.
    let cpus = || std::thread::available_parallelism().map_or(1, usize::from);
    Topology::read(sysfs_root).unwrap_or_else(|_| Topology::one_package(cpus()))
}
