//! What answers are made from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::config::Policy;
use crate::functions::Registry;
use crate::invocation::Invoker;
use crate::telemetry::{Metrics, RecentCalls};

/// Everything that answers need.
pub struct App {
    /// The functions.
    pub registry: Arc<Registry>,
    /// What runs them.
    pub invoker: Arc<Invoker>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The last settled calls.
    pub recent: Arc<RecentCalls>,
    /// What `energy_joules` means.
    pub policy: Policy,
    /// Largest body of a request, in bytes.
    pub body_max: usize,
    /// Longest time until a body is complete.
    pub body_timeout: Duration,
    /// Set when the daemon is about to end.
    pub draining: AtomicBool,
}
