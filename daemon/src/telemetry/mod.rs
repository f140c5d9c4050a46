//! What the daemon tells of itself: metrics, logs, and the calls that it knows.

mod calls;
mod energy_metrics;
mod gauges;
mod guest_log;
mod logging;
mod metrics;

pub use calls::{CallBounds, Calls, KnownCall, Place, Progress};
pub use energy_metrics::{EnergyCollector, no_energy};
pub use gauges::{Described, ReadWhenAsked};
pub use guest_log::{escaped, log_guest};
pub use logging::{LogFormat, LogLevel, start_logging};
pub use metrics::{FunctionMetrics, Labels, Metrics};
