//! A machine that does not exist, behind the same doors as one that does: clock, source and post box. What every call
//! on it truly costs is known, so that a meter can be held against it.
//!
//! [`Simulation`] lives in virtual time and repeats itself exactly; [`Demonstration`] follows the real clock and the
//! real machine's load. Neither measures anything.

#![warn(missing_docs)]

mod board;
mod books;
pub mod demonstration;
mod hardware;
pub mod machine;
pub mod random;
pub mod register;
pub mod settings;
mod simulation;
mod slots;
mod threads;
pub mod truth;

pub use board::{Board, SharedBoard};
pub use demonstration::Demonstration;
pub use machine::{Machine, Task};
pub use random::Random;
pub use register::{Fault, Faults, Register};
pub use settings::{Function, HostClock, HostLoad, Length, RuntimeLoad, Settings};
pub use simulation::Simulation;
pub use truth::{EndedCall, JoulesByDomain, Spent, Totals, Truth};
