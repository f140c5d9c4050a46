//! Accounts that last: what functions and the machine have used, by hour, in a file that outlives the daemon.
//!
//! The truth is the ledger. Once every `usage.flush` the [`Flusher`] takes a [`Reading`] of all its accounts and adds what
//! they have grown by to the [`Store`], in one transaction. So what is stored adds up as the ledger does, to the
//! microjoule, and a daemon that is killed loses what has come since its last flush and nothing else. A [`Report`] is
//! made from the file alone; the [`UsageLog`] has a line for each call, for those who bill by calls.

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
pub use metrics::{register_logging, register_storing};
pub use pending::{Footprint, Pending, Rates, Tariff, ZoneEnergy, ZoneKey};
pub use reading::{FunctionReading, FunctionVersion, Reading, Work, ZoneReading};
pub use report::{By, Format, Report, ReportError, Since, report_of};
pub use settings::{OPTIONS, Settings};
pub use store::{Bounds, Store, StoreError};

/// The file in the directory for state.
pub const FILE: &str = "usage.sqlite";

/// What functions are called together that cannot be told apart: those that never came to be served, and those that
/// bounds have folded into one.
pub const OTHER: &str = crate::telemetry::OTHER;

/// An hour of UTC, counted from the beginning of 1970. Zero, in which nobody ran this, stands for all hours that are not
/// kept apart any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

const HOUR: Duration = Duration::from_secs(3600);

impl Hour {
    /// All hours that are not kept apart any more.
    pub const FOLDED: Self = Self(0);

    /// The hour of this moment.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs() / HOUR.as_secs()).unwrap_or(i64::MAX).max(1))
    }

    /// When it begins.
    #[must_use]
    pub fn begin(self) -> SystemTime {
        let hours = u64::try_from(self.0).unwrap_or_default();
        UNIX_EPOCH + Duration::from_secs(hours.saturating_mul(HOUR.as_secs()).min(LAST_SECOND))
    }
}

/// The end of the year 9999, up to which times have a written form (RFC 3339).
const LAST_SECOND: u64 = 253_402_300_799;
