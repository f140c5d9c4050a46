//! The functions of a daemon: where they come from, what is known of each, and how they change while it runs.

mod broken;
mod deploy;
mod directory;
mod function;
mod gateway;
mod history;
mod load;
mod manifest;
mod modules;
mod name;
mod prepare;
mod registry;
mod samples;
mod settings;
mod source;
mod version;
mod watch;

pub use broken::Broken;
pub use deploy::{Condition, DeployError, Deployed, Deployer, Upload};
pub use directory::ListError;
pub use function::{ColdStart, Function, Revision};
pub use gateway::Gateway;
pub use history::{History, HistoryError, Past};
pub use load::{LoadError, ReportProgress, load, load_modules};
pub use manifest::{BYTES_MAX as MANIFEST_BYTES_MAX, Limits, Manifest, Reuse};
pub(crate) use manifest::{Keys, KnownKeys, Mistake, Wrong, joined, quota, text};
pub use modules::{Listed, Module, ModulesError, read_modules};
pub use name::{FunctionName, NameError, OWN_PATHS};
pub use prepare::{AdmissionBounds, Preparation};
pub use registry::{BrokenFile, Registry, Table};
pub use samples::{SAMPLES, Sample};
pub use settings::Settings;
pub use source::Origin;
pub use version::{TooManyVersions, Version, VersionError};
pub use watch::Watch;
