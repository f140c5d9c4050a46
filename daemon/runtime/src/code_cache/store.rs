//! The directory: who owns it, and how entries come and go.
//!
//! An entry is written under another name and renamed when it is complete. Nothing is synced to the disk: the digest shows
//! what a crash has left half written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Resource, geteuid, getrlimit};
use thiserror::Error;

use super::entry::{DIGEST, Entry, OTHERS_WRITE, Unfit};
use super::key::Key;
use super::space::{ENTRY, Space};

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

/// A directory of entries.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// `None` if nothing can be added.
    space: Option<Space>,
    written: AtomicU64,
    warned: AtomicBool,
    descriptors_max: u64,
}

impl Store {
    pub fn open(directory: PathBuf, bytes_max: u64) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Open { path: directory.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        check_owner(&directory)?;
        let opened = sweep(&directory).and_then(|()| Space::open(&directory, bytes_max));
        let store = Self {
            space: None,
            written: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            // Half of the limit: connections need descriptors too.
            descriptors_max: getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit / 2),
            directory,
        };
        match opened {
            Ok(space) => Ok(Self { space: Some(space), ..store }),
            Err(error) => {
                store.warn_once(&error);
                Ok(store)
            }
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn bytes(&self) -> Option<u64> {
        self.space.as_ref()?.bytes()
    }

    pub fn bytes_max(&self) -> Option<u64> {
        Some(self.space.as_ref()?.bytes_max())
    }

    /// Entries may keep descriptors below this number open.
    pub fn descriptors_max(&self) -> u64 {
        self.descriptors_max
    }

    /// The entry of `key`, if there is one to trust. One that is not to be trusted is removed.
    pub fn find(&self, key: &Key) -> Option<Entry> {
        Entry::open(&self.path(key), key).unwrap_or_else(|unfit| {
            let unreadable = matches!(unfit, Unfit::Read(_));
            self.reject(key, &format!("{:#}", wasmtime::Error::new(unfit)));
            // An entry that cannot be read may be good: descriptors may have run out. It stays until it is replaced.
            if !unreadable {
                let _ = fs::remove_file(self.path(key));
            }
            None
        })
    }

    pub fn reject(&self, key: &Key, why: &str) {
        let path = self.path(key);
        tracing::warn!("ignoring compiled code in `{}`, the function is compiled again: {why}", path.display());
    }

    pub fn keep(&self, key: &Key, artefact: &[u8]) {
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
