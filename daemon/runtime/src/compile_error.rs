//! Why a binary cannot be called as a function.

use std::time::Duration;

use thiserror::Error;

/// What a function has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// [`CompileBounds::memory`].
    Memory,
    /// [`CompileBounds::binary`].
    Binary,
    /// [`CompileBounds::complexity`].
    Complexity,
    /// [`CompileBounds::nesting`].
    Nesting,
}

/// Why a binary cannot be called as a function. The texts follow a sentence that names it.
#[derive(Debug, Error)]
pub enum CompileError {
    /// Not WebAssembly, not valid, or beyond what the pool holds.
    #[error("cannot compile it")]
    Compile(#[source] wasmtime::Error),
    /// It imports something that nobody provides.
    #[error("cannot link it")]
    Link(#[source] wasmtime::Error),
    /// The compiler could not be started, or what it wrote not be read.
    #[error("cannot run the compiler")]
    Start(#[source] std::io::Error),
    /// The compiler ended without an answer.
    #[error("the compiler failed on it: {0}")]
    Compiler(String),
    /// It takes longer to compile than [`CompileBounds::time`](crate::CompileBounds::time).
    #[error("it was not compiled within {0:?}")]
    TooSlow(Duration),
    /// It is beyond one of the [`CompileBounds`](crate::CompileBounds).
    #[error("it is beyond the bound `{bound:?}` of the compiler ({found})")]
    Beyond {
        /// Which one.
        bound: Bound,
        /// What it has, or at least has.
        found: u64,
    },
    /// A core module without an entry point.
    #[error("it exports neither `_start` (a WASI command) nor a function `{0}` of numbers")]
    NoEntry(String),
    /// The export named by [`Grants::start`] is missing.
    #[error("it exports no function `{0}` without parameters and results")]
    NoStart(String),
    /// The entry (first) uses a type (second) that is not a number.
    #[error("its export `{0}` takes or gives a `{1}`; only i32, i64, f32 and f64 can be written as text")]
    NotNumeric(String, String),
    /// A component without an entry point, and what it exports.
    #[error(
        "it is a component that exports none of `wasi:cli/run` of WASI 0.2 or 0.3 (a command), \
         `wasi:http/incoming-handler@0.2` (a proxy) and `wasi:http/handler@0.3` (a service); it exports: {0}"
    )]
    NoInterface(String),
    /// It needs the engine for WASI 0.3, which could not be set up. The log says why.
    #[error("it needs WASI 0.3, which is not available: the log says why")]
    NoConcurrency,
}
