//! Compiled code that outlives the daemon: a start compiles only what no start before it has compiled.
//!
//! An entry is named after everything that decides what the compiler makes of a function, and so never becomes wrong,
//! only unused. Whatever goes amiss with the cache costs time alone: the function is compiled as if there were none.

mod entry;
mod key;
mod map;
mod room;
mod store;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{CodeBuilder, CodeHint, Engine, Module};

use key::Key;
use store::Store;

/// Code that the engine can run.
pub enum Code {
    /// Of a core module.
    Module(Module),
    /// Of a component.
    Component(Component),
}

impl Code {
    /// Compiles `wasm`, which may be binary or text, a module or a component.
    ///
    /// # Errors
    /// When it is neither, or not valid.
    pub fn compile(engine: &Engine, wasm: &[u8]) -> Result<Self, wasmtime::Error> {
        let mut code = CodeBuilder::new(engine);
        code.wasm_binary_or_text(wasm, None)?;
        match code.hint() {
            Some(CodeHint::Component) => code.compile_component().map(Self::Component),
            // What is neither is refused in the words of whoever expected a module.
            _ => code.compile_module().map(Self::Module),
        }
    }

    fn serialize(&self) -> Result<Vec<u8>, wasmtime::Error> {
        match self {
            Self::Module(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }
}

/// Where code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It had to be compiled.
    Compiled,
    /// An earlier compilation was kept.
    Cached,
}

/// The directory cannot be used as a cache.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It can be neither found nor made.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another user made it. Compiled code is run as it is, so that its author could do whatever the daemon can.
    #[error("`{}` belongs to user {owner}, not to user {user} who runs this", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who runs the program.
        user: u32,
    },
    /// Other users could put code into it.
    #[error("others may write to `{}` (mode {mode:04o}); `chmod go-w` it", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Compiled code in a directory. Any number of daemons may share it.
#[derive(Debug)]
pub struct CodeCache {
    store: Store,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CodeCache {
    /// The cache in `directory/code`, which is made if need be, and holds at most `bytes_max`. A directory that can only
    /// be read is a cache too, to which nothing is added.
    ///
    /// # Errors
    /// When it is not there and cannot be made, or when others than this user can write to it.
    pub fn open(directory: &Path, bytes_max: u64) -> Result<Self, CacheError> {
        let store = Store::open(directory.join("code"), bytes_max)?;
        Ok(Self { store, hits: AtomicU64::new(0), misses: AtomicU64::new(0) })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.store.directory()
    }

    /// How often code was asked for and found, and how often it was not.
    #[must_use]
    pub fn requests(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The size of all that is kept, in bytes; `None` where the directory can only be read.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.store.bytes()
    }

    /// The most that is kept, in bytes; `None` where the directory can only be read.
    #[must_use]
    pub fn bytes_max(&self) -> Option<u64> {
        self.store.bytes_max()
    }

    /// The code of `wasm`, which may be binary or text, a module or a component. It is compiled if need be, and then kept
    /// for the next time.
    ///
    /// # Errors
    /// When it has to be compiled and cannot be.
    pub fn code(&self, engine: &Engine, wasm: &[u8]) -> Result<(Code, Found), wasmtime::Error> {
        let key = Key::of(engine, wasm);
        if let Some(code) = self.load(engine, &key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok((code, Found::Cached));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let code = Code::compile(engine, wasm)?;
        match code.serialize() {
            Ok(artefact) => self.store.keep(&key, &artefact),
            Err(error) => tracing::warn!("compiled code cannot be written down: {error:#}"),
        }
        Ok((code, Found::Compiled))
    }

    fn load(&self, engine: &Engine, key: &Key) -> Option<Code> {
        let entry = self.store.find(key)?;
        match map::map(engine, entry, self.store.descriptors_max()) {
            Ok(code) => Some(code),
            Err(error) => {
                // It stays until there is a better one: it may be good, and beyond the limits of this daemon alone.
                self.store.reject(key, &format!("{error:#}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
