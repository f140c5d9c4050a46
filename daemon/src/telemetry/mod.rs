//! What the daemon reports: metrics, logs, traces, events, and the calls that it remembers.

mod access_log;
mod calls;
mod carbon_metrics;
mod collector;
mod energy_metrics;
mod events;
mod facts;
mod guest_log;
mod logging;
mod metrics;
mod observers;
mod record;
mod request_id;
mod settings;
mod stored;
mod traces;

pub use access_log::{AccessFormat, AccessLog, AccessTarget};
pub use calls::{CallBounds, CallSlot, Calls, KnownCall, Progress};
pub use carbon_metrics::{CarbonAccount, register_carbon};
pub use collector::{Metric, Samples};
pub use energy_metrics::{register_energy, register_no_energy};
pub use events::{Event, EventBounds, EventFilter, Events, NumberedEvent, SubscribeError, Subscription, Watts};
pub use facts::{CallTimes, ExportedSpan, RequestFacts};
pub use guest_log::{escaped, log_guest};
pub use logging::{LogFormat, LogLevel, start_logging};
pub use metrics::{FunctionMetrics, Labels, Metrics, MetricsFormat, OTHER, SettledSums};
pub use observers::{ObserveError, Observers};
pub use record::Record;
pub use request_id::RequestId;
pub use settings::Settings;
pub use stored::Stored;
pub use traces::{Ratio, Traces};
