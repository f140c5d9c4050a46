//! Why a function cannot be served.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::manifest::ManifestError;
use super::name::NameError;
use super::version::TooManyVersions;
use nebula_runtime::{CompileError, PolicyError, SocketPolicyError};

/// Why one function cannot be served. The texts follow a sentence that names it.
#[derive(Debug, Error)]
pub enum Broken {
    #[error("its name cannot be used")]
    Name(#[from] NameError),
    #[error("its file name is not text")]
    FileName,
    #[error("both a `.wasm` and a `.wat` file have its name")]
    Twice,
    #[error("it is a manifest without a function: no `.wasm` or `.wat` file and no built-in function has its name")]
    NoModule,
    #[error("{}", .0.join("; "))]
    Listed(Vec<String>),
    #[error("its `_routes` cannot be used: {0}")]
    Routes(String),
    #[error("a module listed in `{}` has the same name", .0.display())]
    OfModule(PathBuf),
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("it has {size} bytes; `limits.module` allows {max}")]
    TooLarge { size: u64, max: u64 },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("its manifest's `outbound` cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Outbound(Vec<PolicyError>),
    #[error("its manifest's `network` cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Network(Vec<SocketPolicyError>),
    #[error("its manifest lists sockets in `network`, but only WASI 0.3 components can open any")]
    NoSockets,
    #[error(
        "its manifest asks for `reuse = \"serial\"`, but a {0} runs once and ends; proxies and numeric functions can be reused"
    )]
    Reuse(&'static str),
    #[error(transparent)]
    Compile(CompileError),
    #[error("it {what} (`{option}`)")]
    Beyond { what: String, option: &'static str },
    #[error("it was not compiled within {0:?} (`deploy.time`)")]
    TooSlow(Duration),
    #[error("the compiler failed on it")]
    CompilerFailed,
    #[error("there are {0} functions, as many as `limits.functions` allows")]
    TooMany(usize),
    #[error(transparent)]
    TooManyVersions(#[from] TooManyVersions),
}
