//! A compiled function: what kind it is, and everything a call needs that can be prepared once.

use thiserror::Error;
use wasmtime::{InstancePre, Module};

use super::code_cache::{Code, Found};
use super::engine::Runtime;
use super::guest::Guest;
use super::numeric::{self, Signature};

/// The export that every WASI command starts with.
const COMMAND_ENTRY: &str = "_start";

/// The export that a numeric function is called by.
const NUMERIC_ENTRY: &str = "run";

/// What a function is, recognised from its binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A WASI preview 1 command: input on stdin, output on stdout.
    Command,
    /// A core module that exports a function of numbers: parameters from the input, result as text.
    Numeric,
}

impl Kind {
    /// The name shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Numeric => "numeric",
        }
    }
}

/// The binary cannot become a function.
#[derive(Debug, Error)]
pub enum CompileError {
    /// Not WebAssembly, not valid, or beyond what the pool holds.
    #[error("cannot compile the module")]
    Compile(#[source] wasmtime::Error),
    /// Valid, but it wants imports that nobody provides.
    #[error("cannot link the module")]
    Link(#[source] wasmtime::Error),
    /// A component.
    #[error("it is a component; only core modules can be run: build it for wasm32-wasip1")]
    Component,
    /// Nothing in it can be called.
    #[error("it exports neither `_start` (a WASI command) nor a function `run` of numbers")]
    NoEntry,
    /// `run` is there, but not of numbers.
    #[error("its export `run` takes or gives a `{0}`; only i32, i64, f32 and f64 can be written as text")]
    NotNumeric(String),
}

/// A function, compiled and linked. Each call instantiates it afresh.
pub struct Program {
    pub(super) runtime: Runtime,
    pub(super) instance: InstancePre<Guest>,
    pub(super) entry: Entry,
    found: Found,
}

pub(super) enum Entry {
    Command,
    Numeric(Signature),
}

impl Program {
    /// Compiles `wasm`, which may be binary or text, or finds it in the runtime's cache.
    ///
    /// # Errors
    /// When it is not a function; the error says what it lacks.
    pub fn compile(runtime: &Runtime, wasm: &[u8]) -> Result<Self, CompileError> {
        let code = match &runtime.cache {
            Some(cache) => cache.code(&runtime.engine, wasm),
            None => Code::compile(&runtime.engine, wasm).map(|code| (code, Found::Compiled)),
        };
        let (Code::Module(module), found) = code.map_err(CompileError::Compile)? else {
            return Err(CompileError::Component);
        };
        let entry = recognise(&module)?;
        let instance = runtime.linker.instantiate_pre(&module).map_err(CompileError::Link)?;
        Ok(Self { runtime: runtime.clone(), instance, entry, found })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.entry {
            Entry::Command => Kind::Command,
            Entry::Numeric(_) => Kind::Numeric,
        }
    }

    /// Whether its code had to be compiled.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    pub(super) fn entry_name(&self) -> &'static str {
        match self.entry {
            Entry::Command => COMMAND_ENTRY,
            Entry::Numeric(_) => NUMERIC_ENTRY,
        }
    }
}

fn recognise(module: &Module) -> Result<Entry, CompileError> {
    let function = |name| module.get_export(name).and_then(|export| export.func().cloned());
    if function(COMMAND_ENTRY).is_some_and(|entry| entry.params().len() + entry.results().len() == 0) {
        return Ok(Entry::Command);
    }
    let run = function(NUMERIC_ENTRY).ok_or(CompileError::NoEntry)?;
    numeric::signature(&run).map(Entry::Numeric).map_err(CompileError::NotNumeric)
}
