//! Why a deployment failed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::admission::Busy;
use crate::functions::broken::Broken;
use crate::functions::history::HistoryError;
use crate::functions::name::FunctionName;
use crate::functions::version::Version;

#[derive(Debug, Error)]
pub enum DeployError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("there is no function `{0}`; `/functions` lists them")]
    Unknown(FunctionName),
    #[error("{}", conflict(.0.as_ref()))]
    Conflict(Option<Version>),
    #[error("`{0}` is built in and cannot be removed; deploy a function of that name to replace it")]
    BuiltIn(FunctionName),
    #[error("`{name}` is listed in `{}`: change it there and restart the daemon", file.display())]
    OfModules { name: FunctionName, file: PathBuf },
    #[error(
        "no {which} version of `{name}` is kept (`deploy.keep`); `/functions/{name}/versions` lists those that are"
    )]
    NoVersion { name: FunctionName, which: String },
    #[error("there is no directory to keep functions in: start the daemon with `functions` or `state`")]
    Nowhere,
    #[error(
        "the manifest asks for the directory `{0}`; a manifest deployed over the network may only ask for directories below `deploy.directories`"
    )]
    Directory(String),
    #[error(
        "the manifest asks to send requests to `{0}`; a manifest deployed over the network may only ask for hosts that `deploy.outbound` lists"
    )]
    Outbound(String),
    #[error(
        "the manifest asks for the sockets `{0}`; a manifest deployed over the network may only ask for sockets that `deploy.network` lists"
    )]
    Network(String),
    #[error("`{route}` leads to `{owner}`; what is deployed over the network can take no path of another function")]
    Route { route: String, owner: FunctionName },
    #[error(
        "the manifest asks for FIFOs and devices in `{0}` (`special`), which a manifest deployed over the network may not"
    )]
    Special(String),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("cannot write the files of the function into `{}`", directory.display())]
    Write { directory: PathBuf, source: io::Error },
    #[error(transparent)]
    History(#[from] HistoryError),
}

fn conflict(live: Option<&Version>) -> String {
    match live {
        Some(live) => format!("version {live} is served, which is not the one that the request expects"),
        None => "no such function is served, and the request expects one".into(),
    }
}
