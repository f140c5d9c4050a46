//! Why nothing was deployed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::admission::Busy;
use crate::functions::broken::Broken;
use crate::functions::history::HistoryError;
use crate::functions::name::FunctionName;
use crate::functions::version::{TooManyVersions, Version};

/// What is not deployed, and why. Nothing has changed then.
#[derive(Debug, Error)]
pub enum DeployError {
    /// It cannot be served.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is no such function.
    #[error("there is no function `{0}`; `/functions` lists them")]
    Unknown(FunctionName),
    /// What is served is not what the caller takes it for.
    #[error("{}", conflict(.0.as_ref()))]
    Conflict(Option<Version>),
    /// The function comes with the program.
    #[error(
        "`{0}` comes with the program and cannot be removed; a function that is deployed under its name goes before it"
    )]
    BuiltIn(FunctionName),
    /// A list of modules has the function.
    #[error("`{name}` is a module of `{}`, and changes with that file when the daemon starts anew", file.display())]
    OfModules {
        /// The function.
        name: FunctionName,
        /// The list.
        file: PathBuf,
    },
    /// There is no version to go back to.
    #[error(
        "there is no {which} version of `{name}` to go back to; `/functions/{name}/versions` lists those that are kept (`deploy.keep`)"
    )]
    NoVersion {
        /// The function.
        name: FunctionName,
        /// Which was asked for.
        which: String,
    },
    /// There is no directory.
    #[error("there is nowhere to keep functions; start the daemon with `functions` or `state`")]
    Nowhere,
    /// The manifest names a directory of this machine.
    #[error("the manifest names the directory `{}`: one that comes over the network may only name what is below `deploy.directories`", .0.display())]
    Directory(PathBuf),
    /// Others are being compiled.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The files of the function cannot be written.
    #[error("cannot write the files of the function into `{}`", directory.display())]
    Write {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was deployed cannot be kept or found.
    #[error(transparent)]
    History(#[from] HistoryError),
}

fn conflict(live: Option<&Version>) -> String {
    match live {
        Some(live) => format!("version {live} is served, which is not what the request is about"),
        None => "no such function is served, which is not what the request is about".into(),
    }
}

impl From<TooManyVersions> for DeployError {
    fn from(error: TooManyVersions) -> Self {
        Self::Broken(error.into())
    }
}
