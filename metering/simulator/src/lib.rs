//! A simulated machine with the interfaces of a real one: clock, source and post box. The true energy of every call is
//! known, so a meter can be checked against it.
//!
//! [`Simulation`] runs in virtual time and is exactly repeatable. [`Demonstration`] follows the real clock and the load
//! of the real machine. Neither measures anything.
//!
//! [`Machine`] holds the physics, and [`Laws`] what can be added to it. [`Recorded`] machines draw the power that real
//! servers drew. [`Machine::drawn`] varies a machine, so that nothing is fitted to one set of figures.

#![warn(missing_docs)]

mod accounts;
mod board;
pub mod demonstration;
mod hardware;
pub mod laws;
pub mod machine;
pub mod neighbours;
pub mod random;
mod recorded;
pub mod register;
pub mod settings;
mod simulation;
mod slots;
mod task;
mod threads;
pub mod truth;

pub use board::{Board, SharedBoard};
pub use demonstration::Demonstration;
pub use laws::Laws;
pub use machine::Machine;
pub use neighbours::Neighbours;
pub use random::Random;
pub use recorded::Recorded;
pub use register::{Fault, Faults, Register};
pub use settings::{Function, HostClock, HostLoad, Length, RuntimeLoad, Settings};
pub use simulation::Simulation;
pub use task::Task;
pub use truth::{EndedCall, JoulesByDomain, Spent, Totals, Truth};
