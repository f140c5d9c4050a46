//! The functions of a daemon: where they come from, what is known of each, and how they change while it runs.

mod broken;
mod cold_start;
mod deploy;
mod directory;
mod history;
mod load;
mod manifest;
mod modules;
mod name;
mod prepare;
mod registry;
mod samples;
mod settings;
mod version;
mod watch;

pub use broken::Broken;
pub use cold_start::ColdStart;
pub use deploy::{Condition, DeployBounds, DeployError, Deployed, Deployer, Upload};
pub use directory::ListError;
pub use history::{History, HistoryError, Past};
pub use load::{LoadError, Progress, load, load_modules};
pub use manifest::{BYTES_MAX as MANIFEST_BYTES_MAX, Ceilings, Directory, Limits, Manifest, Reuse};
pub(crate) use manifest::{Keys, Known, Mistake, Wrong, joined, quota, text};
pub use modules::{Gateway, Listed, Module, ModulesError, Route, read_modules};
pub use name::{FunctionName, NameError, OWN_PATHS};
pub use prepare::{Preparation, PreparationSettings};
pub use registry::{BrokenFile, Function, Origin, Registry, Revision, Table, TooManyVersions};
pub use samples::{SAMPLES, Sample};
pub use settings::{DeploySettings, OPTIONS, Settings};
pub use version::{Version, VersionError};
pub use watch::Watch;
