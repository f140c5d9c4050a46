//! Stored accounts: what functions and the machine have used, by hour, in a file that outlives the daemon.
//!
//! Every `usage.flush` the [`Flusher`] takes a [`Reading`] of the ledger and adds the growth of all accounts to the
//! [`Store`], in one transaction. So the stored accounts add up to the microjoule, as the ledger does, and a daemon that is
//! killed loses only what was added since the last flush. A [`Report`] is made from the file alone. The [`UsageLog`] has a
//! line for each call, for people who bill by calls.

mod flusher;
mod log;
#[cfg(test)]
mod made_up;
mod metrics;
mod pending;
mod reading;
mod report;
mod settings;
mod store;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use flusher::{FlushStatus, Flusher, FlusherError, FlusherSettings};
pub use log::{LogError, LogHandle, LogSettings, UsageLog, UsageLogEntry};
pub use metrics::{LOGGING, STORING};
pub use pending::{EnergyRate, Footprint, GRAMS, Pending};
pub use reading::{FunctionReading, FunctionVersion, FunctionWork, Reading, ZoneKey};
pub use report::{By, Report, ReportError, ReportFormat, Since, report_of};
pub use settings::Settings;
pub use store::{Bounds, Store, StoreError};

/// The file in the directory for state.
pub const FILE: &str = "usage.sqlite";

/// The name that functions share if they were never served or were folded into one.
pub const OTHER: &str = crate::telemetry::OTHER;

/// An hour of UTC, counted from the start of 1970. Zero stands for all hours that have been folded into one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

const HOUR: Duration = Duration::from_secs(3600);

impl Hour {
    /// All hours that have been folded into one.
    pub const FOLDED: Self = Self(0);

    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs() / HOUR.as_secs()).unwrap_or(i64::MAX).max(1))
    }

    pub fn begin(self) -> SystemTime {
        let hours = u64::try_from(self.0).unwrap_or_default();
        UNIX_EPOCH + Duration::from_secs(hours.saturating_mul(HOUR.as_secs()).min(LAST_SECOND))
    }
}

/// The end of the year 9999, the last that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;
