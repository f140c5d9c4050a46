//! The child: confines itself, compiles its input and writes the code to its output.

use std::io::{self, Read, Write};

use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setpriority_process, setrlimit,
};
use thiserror::Error;
use wasmtime::{CodeBuilder, CodeHint, Engine};

use super::bounds::{check, within};
use super::message::{EngineKind, Request, WorkerAnswer};
use crate::code_cache::Key;
use crate::compile_error::Bound;
use crate::shortened::shortened_chain;

/// Calls come before compilations.
const NICE: i32 = 10;

/// The part of its memory that the compiler may write as code: it holds the code while it writes it, and the other process
/// holds it again.
const OUTPUT_PART: u64 = 4;

/// Why a worker gave no answer.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// It was started by hand, or by another version of the program.
    #[error("it does not understand its arguments; only the daemon starts it")]
    Arguments,
    /// The kernel refused to bound it.
    #[error("cannot confine the compiler")]
    Confine(#[source] rustix::io::Errno),
    /// Its input or output failed.
    #[error("cannot read the module, or write its code")]
    Exchange(#[source] io::Error),
}

/// Makes an engine of one kind.
type MakeEngine = fn(EngineKind) -> wasmtime::Result<Engine>;

/// Compiles the module on stdin, and writes its code to stdout.
pub fn work<'a>(arguments: impl IntoIterator<Item = &'a str>, engine: MakeEngine) -> Result<(), WorkerError> {
    let request = Request::parse(arguments).ok_or(WorkerError::Arguments)?;
    confine(&request).map_err(WorkerError::Confine)?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm).map_err(WorkerError::Exchange)?;
    let answer = compile(&request, engine, &wasm).unwrap_or_else(|answer| answer).bytes();
    let mut output = io::stdout().lock();
    output.write_all(&answer).and_then(|()| output.flush()).map_err(WorkerError::Exchange)
}

fn confine(request: &Request) -> rustix::io::Result<()> {
    let bounds = request.bounds;
    // Nobody waits for the answer any more if the daemon is gone.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(Resource::Core, 0, 0)?;
    let output = bounds.memory / OUTPUT_PART;
    limit(Resource::Fsize, output, output)?;
    // If the daemon cannot kill it, the kernel does: first with a signal that says why.
    let seconds = bounds.time.as_secs();
    limit(Resource::Cpu, seconds.saturating_add(2), seconds.saturating_add(4))?;
    limit(Resource::As, bounds.memory, bounds.memory)?;
    // If the machine runs out of memory all the same, the kernel ends the compiler and not the daemon. Source: proc(5).
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // It may be lower already, and only a privileged process can raise it.
    let _ = setpriority_process(None, NICE);
    Ok(())
}

/// Bounds a resource, within what the daemon itself is bounded to.
fn limit(resource: Resource, current: u64, maximum: u64) -> rustix::io::Result<()> {
    let within = |most: u64| getrlimit(resource).maximum.map_or(most, |bound| bound.min(most));
    setrlimit(resource, Rlimit { current: Some(within(current)), maximum: Some(within(maximum)) })
}

fn compile(request: &Request, engine: MakeEngine, wasm: &[u8]) -> Result<WorkerAnswer, WorkerAnswer> {
    let invalid = |error: &wasmtime::Error| WorkerAnswer::Invalid(shortened_chain(error));
    let engine = engine(request.engine).map_err(|error| invalid(&error))?;
    let binary = wat::parse_bytes(wasm).map_err(|error| invalid(&wasmtime::Error::new(error)))?;
    within(Bound::Binary, binary.len() as u64, request.bounds.binary.max(wasm.len() as u64))?;
    check(&binary, &request.bounds)?;
    let mut artefact = serialized(&engine, &binary).map_err(|error| invalid(&error))?;
    let digest = Key::of(&engine, wasm).digest(&artefact);
    artefact.extend_from_slice(digest.as_bytes());
    Ok(WorkerAnswer::Code(artefact))
}

fn serialized(engine: &Engine, binary: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut code = CodeBuilder::new(engine);
    code.wasm_binary(binary, None)?;
    match code.hint() {
        Some(CodeHint::Component) => code.compile_component_serialized(),
        // If it is neither, the error is the one for modules.
        _ => code.compile_module_serialized(),
    }
}
