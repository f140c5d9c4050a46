//! Modules of a `modules.toml`, the format of WAGI: functions that have routes of their own, and are told of requests as
//! WAGI tells of them.

mod file;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use file::{Listed, Module};

use super::broken::Broken;
use super::source::{Origin, Source};

/// Thousands of modules are shorter.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file is no list of modules.
#[derive(Debug, Error)]
pub enum ModulesError {
    /// It cannot be read.
    #[error("cannot read the modules in `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("`{}` is no list of modules: {why}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// With its line.
        why: String,
    },
}

/// What the file at `path` lists.
///
/// # Errors
/// When nothing of it can be served.
pub fn read_modules(path: &Path) -> Result<Vec<Listed>, ModulesError> {
    let failed = |source| ModulesError::Read { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes"))));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    file::parse(path, &text).map_err(|why| ModulesError::Parse { path: path.into(), why })
}

impl Module {
    /// Reads what it is made from.
    ///
    /// # Errors
    /// When it cannot be read, or is too large to be.
    pub fn read(&self, size_max: u64) -> Result<Source, Broken> {
        let size = std::fs::metadata(&self.path).map_err(Broken::Read)?.len();
        if size > size_max {
            return Err(Broken::TooLarge { size, max: size_max });
        }
        Ok(Source {
            name: self.name.clone(),
            origin: Origin::Module(self.gateway.clone()),
            module: std::fs::read(&self.path).map_err(Broken::Read)?.into(),
            manifest: Some((self.gateway.file.clone(), self.manifest.clone())),
            example: "",
        })
    }
}
