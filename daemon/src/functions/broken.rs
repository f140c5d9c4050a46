//! Why a function cannot be served.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::manifest::ManifestError;
use super::name::NameError;
use super::version::TooManyVersions;
use nebula_runtime::{CompileError, PolicyError};

/// One function cannot be served; the others can.
#[derive(Debug, Error)]
pub enum Broken {
    /// The file is not named after a function.
    #[error("its name cannot be used")]
    Name(#[from] NameError),
    /// The file's name is not UTF-8.
    #[error("its file name is not text")]
    FileName,
    /// There are two modules of one name.
    #[error("both `.wasm` and `.wat` of it exist")]
    Twice,
    /// There is a manifest and nothing that it belongs to.
    #[error("it is the manifest of no function: no `.wasm` or `.wat` of that name is there, nor built in")]
    NoModule,
    /// It is listed wrongly.
    #[error("{}", .0.join("; "))]
    Listed(Vec<String>),
    /// Its name is another's.
    #[error("a module of `{}` has its name", .0.display())]
    OfModule(PathBuf),
    /// The file cannot be read.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// The module is too large.
    #[error("it has {size} bytes, more than `limits.module` allows ({max})")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The largest there may be.
        max: u64,
    },
    /// The manifest is no good.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest's `outbound` is no good.
    #[error("its manifest's `outbound` cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Outbound(Vec<PolicyError>),
    /// The manifest asks for what the module cannot do.
    #[error(
        "its manifest asks for `reuse = \"serial\"`, but a {0} runs once and ends; proxies and numeric functions can be reused"
    )]
    Reuse(&'static str),
    /// The module is no good.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It takes too long to make it ready.
    #[error("it was not compiled within {0:?} (`deploy.time`)")]
    TooSlow(Duration),
    /// The compiler gave up.
    #[error("the compiler failed on it")]
    CompilerFailed,
    /// There are too many functions.
    #[error("there are {0} functions, as many as `limits.functions` allows")]
    TooMany(usize),
    /// There is no account for it.
    #[error(transparent)]
    TooManyVersions(#[from] TooManyVersions),
}
