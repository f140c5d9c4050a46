//! Compiled code that outlives the process: a start compiles only what no earlier start has compiled.
//!
//! The name of an entry covers everything that decides what the compiler makes of a function. So an entry never becomes
//! wrong, only unused. If the cache fails, the function is compiled as if there were none.
//!
//! An entry is written under another name and renamed when it is complete. Nothing is synced to the disk: the digest shows
//! what a crash has left half written.

mod code;
mod entry;
mod key;
mod map;
mod space;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Resource, geteuid, getrlimit};
use thiserror::Error;
use wasmtime::Engine;

pub use code::{Code, Found};
pub use key::Key;
pub use map::load;

use entry::{DIGEST, Entry, OTHERS_WRITE, Unfit};
use space::{ENTRY, Space};

/// The extension of files that are being written.
const TEMPORARY: &str = "tmp";

/// Why a directory cannot be used as a cache.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It cannot be opened or created.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Another user owns it. Compiled code runs unchecked, so its author could do whatever this process can.
    #[error("`{}` belongs to user {owner}, and this process runs as user {user}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        user: u32,
    },
    /// Other users can write to it.
    #[error("others can write to `{}` (mode {mode:04o}): run `chmod go-w` on it", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Compiled code in a directory. Any number of processes may share it.
#[derive(Debug)]
pub struct CodeCache {
    directory: PathBuf,
    /// `None` if nothing can be added.
    space: Option<Space>,
    /// Entries may keep descriptors below this number open.
    descriptors_max: u64,
    written: AtomicU64,
    warned: AtomicBool,
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
        let directory = directory.join("code");
        let failed = |source| CacheError::Open { path: directory.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        check_owner(&directory)?;
        let opened = sweep(&directory).and_then(|()| Space::open(&directory, bytes_max));
        let mut cache = Self {
            directory,
            space: None,
            // Half of the limit: connections need descriptors too.
            descriptors_max: getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit / 2),
            written: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        };
        match opened {
            Ok(space) => cache.space = Some(space),
            Err(error) => cache.warn_once(&error),
        }
        Ok(cache)
    }

    /// The directory of the entries.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How often code was found here, and how often it was compiled.
    pub fn requests(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The size of all entries in bytes; `None` if the directory is read-only.
    pub fn bytes(&self) -> Option<u64> {
        self.space.as_ref()?.bytes()
    }

    /// The bound of that size in bytes; `None` if the directory is read-only.
    pub fn bytes_max(&self) -> Option<u64> {
        Some(self.space.as_ref()?.bytes_max())
    }

    /// The code of `wasm`: binary or text, a module or a component. Compiles and keeps it if there is no entry.
    ///
    /// # Errors
    /// If it has to be compiled and that fails.
    pub fn code(&self, engine: &Engine, wasm: &[u8]) -> Result<(Code, Found), wasmtime::Error> {
        self.code_by(engine, wasm, |_| Code::compile(engine, wasm))
    }

    /// The same, compiled by `compile`.
    pub(super) fn code_by<E>(
        &self,
        engine: &Engine,
        wasm: &[u8],
        compile: impl FnOnce(&Key) -> Result<Code, E>,
    ) -> Result<(Code, Found), E> {
        let key = Key::of(engine, wasm);
        if let Some(code) = self.find(engine, &key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok((code, Found::Cached));
        }
        let code = compile(&key)?;
        self.misses.fetch_add(1, Ordering::Relaxed);
        match code.serialize() {
            Ok(artefact) => self.keep(&key, &artefact),
            Err(error) => tracing::warn!("cannot serialize compiled code, the next start compiles it again: {error:#}"),
        }
        Ok((code, Found::Compiled))
    }

    /// The code of `key`, if there is an entry to trust. One that is not to be trusted is removed.
    fn find(&self, engine: &Engine, key: &Key) -> Option<Code> {
        let path = self.path(key);
        let rejected = |why: wasmtime::Error| {
            let path = path.display();
            tracing::warn!("ignoring compiled code in `{path}`, the function is compiled again: {why:#}");
        };
        match Entry::open(&path, key) {
            // If wasmtime refuses it, it stays until it is replaced: it may be good, and exceed only the limits of this
            // process.
            Ok(entry) => map::map(engine, entry?, self.descriptors_max).map_err(rejected).ok(),
            Err(unfit) => {
                // An entry that cannot be read may be good: descriptors may have run out. It stays until it is replaced.
                if !matches!(unfit, Unfit::Read(_)) {
                    let _ = fs::remove_file(&path);
                }
                rejected(wasmtime::Error::new(unfit));
                None
            }
        }
    }

    fn keep(&self, key: &Key, artefact: &[u8]) {
        let Some(space) = &self.space else { return };
        let size = (artefact.len() + DIGEST) as u64;
        if !space.fits(size) {
            tracing::debug!(size, "compiled code is larger than the cache and not kept");
            return;
        }
        match self.write(space, key, artefact, size) {
            // Another process has the lock, or took the file for a leftover. The next start compiles the function again.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotFound) => {
                tracing::debug!("compiled code not kept: {error}");
            }
            Err(error) => self.warn_once(&error),
            Ok(()) => {}
        }
    }

    fn write(&self, space: &Space, key: &Key, artefact: &[u8], size: u64) -> io::Result<()> {
        let (mut file, path) = self.temporary()?;
        let written = file
            .try_lock()
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(artefact))
            .and_then(|()| file.write_all(key.digest(artefact).as_bytes()))
            .and_then(|()| space.admit(&path, &self.path(key), size));
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    }

    /// A file that nobody else writes to. While it is locked, no process takes it for a leftover.
    fn temporary(&self) -> io::Result<(File, PathBuf)> {
        loop {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let path = self.directory.join(format!("{}-{number}.{TEMPORARY}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                // A process in another container has the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return Ok((opened?, path)),
            }
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{key}.{ENTRY}"))
    }

    fn warn_once(&self, error: &io::Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let directory = self.directory.display();
            tracing::warn!("cannot keep compiled code in `{directory}`, the next start compiles again: {error}");
        }
    }
}

fn check_owner(directory: &Path) -> Result<(), CacheError> {
    let path = || directory.to_path_buf();
    let metadata = fs::metadata(directory).map_err(|source| CacheError::Open { path: path(), source })?;
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user {
        return Err(CacheError::Foreign { path: path(), owner, user });
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(CacheError::Writable { path: path(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// Removes what a crash has left half written: temporary files that nobody has locked.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TEMPORARY) {
            match OpenOptions::new().write(true).open(&path) {
                // Another process may be doing the same.
                Ok(file) if file.try_lock().is_ok() => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
    }
    Ok(())
}
