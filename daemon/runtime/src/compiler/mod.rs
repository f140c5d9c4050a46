//! Compiles functions in a child process. What a compiler needs is out of proportion to its input: a module of 85 kB can take
//! gigabytes and minutes, and nothing can stop a thread that compiles. A process has bounds that the kernel enforces, and can
//! be killed.
//!
//! The child is whatever the embedding program says, and ends in [`compile_worker`](super::compile_worker). Both sides get their files in memory:
//! the module as the child's input, the code as its output. The code is followed by the same digest as an entry of the
//! [cache](super::CodeCache) and verified in the same way.

mod bounds;
mod child;
mod message;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::code_cache::Key;
use super::compile_error::CompileError;
use message::{Request, WorkerAnswer};

pub use message::{CompileBounds, EngineKind};
pub use worker::{WorkerError, work};

/// Compiles in child processes.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program of the child.
    pub program: PathBuf,
    /// Its first arguments. What [`compile_worker`](super::compile_worker) takes comes behind them.
    pub arguments: Vec<OsString>,
    /// What every compilation is held to.
    pub bounds: CompileBounds,
}

impl Compiler {
    /// The artefact of `wasm`, whose digest has been verified. `spent` gets the CPU time of the child as it is used.
    pub(super) fn compile(
        &self,
        engine: EngineKind,
        key: &Key,
        wasm: &[u8],
        spent: &mut dyn FnMut(Duration),
    ) -> Result<Vec<u8>, CompileError> {
        let request = Request { engine, bounds: self.bounds };
        let answer = child::run(&self.program, &self.arguments, &request, wasm, spent)?;
        match WorkerAnswer::parse(answer) {
            Some(WorkerAnswer::Code(code)) => key.verified(code).ok_or_else(|| failed("its answer is damaged")),
            Some(WorkerAnswer::Invalid(why)) => Err(CompileError::Compile(wasmtime::Error::msg(why))),
            Some(WorkerAnswer::Beyond { bound, found }) => Err(CompileError::Beyond { bound, found }),
            None => Err(failed("it gave no answer")),
        }
    }
}

fn failed(why: &str) -> CompileError {
    CompileError::Compiler(why.into())
}
