//! Modules of a `modules.toml`, the format of WAGI: functions that have routes of their own, and are told of requests as
//! WAGI tells of them.

mod file;
mod route;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub use route::{Argv, Route};

use super::broken::Broken;
use super::name::FunctionName;
use super::prepare::Source;
use super::registry::Origin;
use nebula_runtime::Grants;

/// Thousands of modules are shorter.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How requests come to a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The file that lists it.
    pub file: PathBuf,
    /// Which of its modules it is: the first whose route leads there has a request.
    pub position: usize,
    /// Where it is.
    pub route: Route,
    /// What it is told as its arguments.
    pub argv: Argv,
    /// The export that is called, if not `_start`.
    pub entry: Option<String>,
    /// Outbound requests that a call may have under way.
    pub connections: Option<usize>,
}

/// A module that is to be served.
#[derive(Clone, Debug)]
pub struct Module {
    /// The name that it has as a function.
    pub name: FunctionName,
    /// Its binary or text.
    pub path: PathBuf,
    /// What it may do, as a manifest.
    pub manifest: String,
    /// How requests come to it.
    pub gateway: Arc<Gateway>,
}

/// An entry of the file.
#[derive(Clone, Debug)]
pub enum Listed {
    /// A module.
    Module(Module),
    /// One that cannot be served: where it was to be, and what is wrong.
    Wrong(String, Vec<String>),
}

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

impl Gateway {
    /// What the module is granted, of what every function would be.
    #[must_use]
    pub fn grant(&self, grants: Grants) -> Grants {
        let outbound = match self.connections {
            Some(connections) => grants.outbound.at_once(connections),
            None => grants.outbound,
        };
        Grants { start: self.entry.clone(), outbound, ..grants }
    }
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
