//! Calibrating: known work in a designed order, under a real meter, so that what work costs on this machine is known before
//! the first call.
//!
//! A daemon learns the same from the calls that it happens to run. Here the load goes up and down in steps and there are
//! rests, so that base power, waking up and work can be told apart within half a minute.

mod experiment;
mod failure;
mod findings;
mod kernels;
mod plan;
mod processes;
#[cfg(test)]
mod simulated;

pub use experiment::{Conduct, Experiment};
pub use failure::CalibrateError;
pub use findings::{Charges, Findings, KernelFindings, ZoneFindings};
pub use kernels::Kernel;
pub use plan::{Plan, Step};
pub use processes::Busiest;
