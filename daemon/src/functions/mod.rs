//! The functions of a daemon: where they come from, and what is known of each.

mod cold_start;
mod load;
mod manifest;
mod name;
mod registry;
mod samples;

pub use cold_start::ColdStart;
pub use load::{LoadError, Progress, Settings, load};
pub use manifest::{Ceilings, Manifest};
pub(crate) use manifest::{Keys, Known, Mistake, Wrong, energy, joined, text};
pub use name::{FunctionName, NameError, OWN_PATHS};
pub use registry::{Function, Origin, Registry};
pub use samples::{SAMPLES, Sample};
