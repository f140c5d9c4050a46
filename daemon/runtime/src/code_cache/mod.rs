//! Compiled code that outlives the process: a start compiles only what no earlier start has compiled.
//!
//! The name of an entry covers everything that decides what the compiler makes of a function. So an entry never becomes
//! wrong, only unused. If the cache fails, the function is compiled as if there were none.

mod code;
mod entry;
mod key;
mod map;
mod space;
mod store;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Engine;

pub use code::{Code, Found};
pub use store::CacheError;

use key::Key;
use store::Store;

/// Compiled code in a directory. Any number of processes may share it.
#[derive(Debug)]
pub struct CodeCache {
    store: Store,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CodeCache {
    /// The cache in `directory/code`, which is created if it is missing and holds at most `bytes_max`. A read-only directory
    /// works too; nothing is added to it.
    ///
    /// # Errors
    /// If it cannot be created, or if anyone but this user can write to it.
    pub fn open(directory: &Path, bytes_max: u64) -> Result<Self, CacheError> {
        let store = Store::open(directory.join("code"), bytes_max)?;
        Ok(Self { store, hits: AtomicU64::new(0), misses: AtomicU64::new(0) })
    }

    /// The directory of the entries.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.store.directory()
    }

    /// Hits and misses.
    #[must_use]
    pub fn requests(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The size of all entries in bytes; `None` if the directory is read-only.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.store.bytes()
    }

    /// The bound of that size in bytes; `None` if the directory is read-only.
    #[must_use]
    pub fn bytes_max(&self) -> Option<u64> {
        self.store.bytes_max()
    }

    /// The code of `wasm`: binary or text, a module or a component. Compiles and keeps it if there is no entry.
    ///
    /// # Errors
    /// If it has to be compiled and that fails.
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
            Err(error) => tracing::warn!("cannot serialize compiled code, the next start compiles it again: {error:#}"),
        }
        Ok((code, Found::Compiled))
    }

    fn load(&self, engine: &Engine, key: &Key) -> Option<Code> {
        let entry = self.store.find(key)?;
        match map::map(engine, entry, self.store.descriptors_max()) {
            Ok(code) => Some(code),
            Err(error) => {
                // It stays until it is replaced: it may be good, and exceed only the limits of this process.
                self.store.reject(key, &format!("{error:#}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
