//! Measures how much energy each function call takes, and accounts for all of it.
//!
//! ```text
//!  threads ──bracket──► post box ─┐
//!                                 ├─► meter ──► accounts (exact), settled calls
//!  source ──counter (differences)─┘        └──► calibration ──► estimates
//! ```
//!
//! # How energy becomes joules per call
//!
//! **Work is measured where it runs.** A call that is a future moves between threads, so a [`Bracket`] measures each poll on
//! the thread that makes it. Each measured piece is a [`Slice`]: CPU time and, where the machine counts them,
//! instructions, cycles and cache misses. Calls that are plain closures use a [`Tally`]. Slices go to the meter through
//! a [`PostBox`], which is bounded and lock-free.
//!
//! **Energy is measured per window.** The owner of the [`Meter`] calls [`Meter::close_window`] at regular intervals, such as
//! every 100 ms. The meter then reads its [`source`]. A [`Counter`] decides what each reading means: a baseline,
//! energy, a wrap, a reset or a gap.
//!
//! **Windows are divided by expected cost.** The meter takes off *base*: what the machine draws when idle, and what it
//! takes to wake a package. It learns what CPU time, instructions, cycles and cache misses cost, and splits the rest in
//! proportion to what the work of each function, of this process and of everything else should have cost. CPU time
//! alone decides only while nothing has been learned. Whatever the weights, [`Accounts`] add up to the measured energy, to
//! the microjoule, in every zone and after every window.
//!
//! **Calls get an estimate first and a settled charge later.** [`Calibration::estimate`] tells what a call that has just
//! ended should have cost, with a 95 % interval. When the call's windows have closed, `close_window` returns its
//! [`Settled`] charge: its share of what was measured.
//!
//! The example `joules` does all of this in forty lines:
//!
//! ```text
//! cargo run -p nebula-metering --example joules
//! ```
//!
//! This crate knows nothing about HTTP, WebAssembly or async runtimes, and it starts no threads.

#![warn(missing_docs)]

mod bracket;
mod bucket;
mod calibration;
mod call_map;
mod calls;
mod counter;
mod learning;
mod ledger;
mod meter;
mod post;
mod presence;
mod rate;
mod remainder;
mod shares;
mod uncertainty;
mod units;
mod whole;
mod zone;
mod zone_meter;

pub mod source;
pub mod sysfs;
pub mod work;

pub use bracket::{Bracket, Tally};
pub use calibration::{Calibration, Estimate, NoEstimate, ZoneCalibration};
pub use call_map::{CallHasher, CallMap};
pub use calls::{Charge, Settled};
pub use counter::{Counter, GapReason, Observation};
#[doc(hidden)]
pub use learning::ablation;
pub use learning::{Coefficient, Feature, Knowledge, Learned, LearningState, METHOD, Weights};
pub use ledger::{Accounts, CallEnergy, Charges, Consumers, FunctionEnergy};
pub use meter::Meter;
pub use post::{CallId, Full, FunctionId, PostBox, Posting, Purpose, Slice};
pub use shares::split;
pub use uncertainty::Uncertainty;
pub use units::{Joules, Microjoules, Watts};
pub use zone::{Domain, Zone};
pub use zone_meter::ZoneReport;
