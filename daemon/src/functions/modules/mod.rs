//! Modules of a `modules.toml`, the format of WAGI: functions with routes of their own, which see requests as under WAGI.

mod file;
mod routes;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use file::{Listed, Module, WrongModule};
pub use routes::{declared, expand};

use super::broken::Broken;
use super::directory::read_module;
use super::source::{Origin, Source};
use crate::regular_file;
use crate::telemetry::escaped;

/// Room for thousands of modules.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Error)]
pub enum ModulesError {
    #[error("cannot read the modules in `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not a list of modules: {why}", .path.display())]
    Parse { path: PathBuf, why: String },
}

pub fn read_modules(path: &Path) -> Result<Vec<Listed>, ModulesError> {
    let failed = |source| ModulesError::Read { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes"))));
    }
    let text = regular_file::open(path).and_then(io::read_to_string).map_err(failed)?;
    let file = file::parse(path, &text).map_err(|why| ModulesError::Parse { path: path.into(), why })?;
    for warning in file.warnings {
        tracing::warn!("`{}`, {}: ignored", path.display(), escaped(&warning));
    }
    Ok(file.listed)
}

impl Module {
    pub fn read(&self, size_max: u64) -> Result<Source, Broken> {
        Ok(Source {
            name: self.name.clone(),
            origin: Origin::Module(self.gateway.clone()),
            module: read_module(&self.path, size_max)?,
            manifest: Some((self.gateway.file.clone(), self.manifest.clone())),
            example: "",
        })
    }
}
