//! What is read of the daemon, and how its functions are changed.

pub mod events;
pub mod functions;
pub mod invocations;
pub mod ledger;
pub mod metrics;
pub mod openapi;
pub mod quota;
pub mod upload;
pub mod usage;
