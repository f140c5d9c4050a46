//! Attributes measured energy to calls, exactly.
//!
//! ```text
//!  threads ──bracket──► post box ─┐
//!                                 ├─► meter ──► accounts (exact), settled calls
//!  source ──counter (differences)─┘        └──► calibration ──► estimates
//! ```
//!
//! A [`Bracket`] measures each slice of a call where it runs and posts it. At the end of every window the [`Meter`] reads
//! its [`source`], decides what the readings mean ([`Counter`]), takes off the base power, and charges the rest to the
//! functions, the runtime and the host in proportion to the CPU time they used ([`Accounts`]). What was measured
//! equals what was charged, to the microjoule, in every zone and after every window.
//!
//! Nothing here knows of HTTP, of WebAssembly or of an async runtime, and nothing starts a thread: whoever owns the
//! meter decides when a window ends.

#![warn(missing_docs)]

mod base;
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
pub use learning::{Coefficient, Feature, Learned, LearningState, Weights};
pub use ledger::{Accounts, Charges, Consumers, FunctionEnergy};
pub use meter::Meter;
pub use post::{CallId, Full, FunctionId, PostBox, Posting, Slice};
pub use shares::split;
pub use units::{Joules, Microjoules, Watts};
pub use zone::{Domain, Zone};
pub use zone_meter::ZoneReport;
