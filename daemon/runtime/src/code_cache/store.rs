//! The directory: who may have made it, how entries come and go.
//!
//! An entry is written under another name and renamed when it is whole. Nothing is synced to the disk: what a crash
//! leaves half written has a wrong digest.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Resource, geteuid, getrlimit};

use super::CacheError;
use super::entry::{DIGEST, Entry, OTHERS_WRITE, Unfit};
use super::key::Key;
use super::room::{ENTRY, Room};

/// What the names of files end with that are being written.
const TEMPORARY: &str = "tmp";

/// A directory of entries.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// `None` where nothing can be added.
    room: Option<Room>,
    written: AtomicU64,
    warned: AtomicBool,
    descriptors_max: u64,
}

impl Store {
    /// Opens or makes the directory.
    pub fn open(directory: PathBuf, bytes_max: u64) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Open { path: directory.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        check_owner(&directory)?;
        let opened = sweep(&directory).and_then(|()| Room::open(&directory, bytes_max));
        let store = Self {
            room: None,
            written: AtomicU64::new(0),
            warned: AtomicBool::new(false),
            // Half of them, for there are connections too. No limit is infinitely many.
            descriptors_max: getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit / 2),
            directory,
        };
        match opened {
            Ok(room) => Ok(Self { room: Some(room), ..store }),
            Err(error) => {
                store.warn_once(&error);
                Ok(store)
            }
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The size of all entries.
    pub fn bytes(&self) -> Option<u64> {
        self.room.as_ref()?.bytes()
    }

    /// The most that they may come to.
    pub fn bytes_max(&self) -> Option<u64> {
        Some(self.room.as_ref()?.bytes_max())
    }

    /// Up to which number descriptors may be kept open.
    pub fn descriptors_max(&self) -> u64 {
        self.descriptors_max
    }

    /// The entry of `key`, if there is one that can be trusted. One that cannot is removed.
    pub fn find(&self, key: &Key) -> Option<Entry> {
        Entry::open(&self.path(key), key).unwrap_or_else(|unfit| {
            let unreadable = matches!(unfit, Unfit::Read(_));
            self.reject(key, &format!("{:#}", wasmtime::Error::new(unfit)));
            // One that could not be read may be good: descriptors may have run out. It stays until it is replaced.
            if !unreadable {
                let _ = fs::remove_file(self.path(key));
            }
            None
        })
    }

    /// Says why an entry is not used.
    pub fn reject(&self, key: &Key, why: &str) {
        let path = self.path(key);
        tracing::warn!("compiled code in `{}` is not used, the function is compiled anew: {why}", path.display());
    }

    /// Keeps an artefact under `key`, if it can.
    pub fn keep(&self, key: &Key, artefact: &[u8]) {
        let Some(room) = &self.room else { return };
        let size = (artefact.len() + DIGEST) as u64;
        if !room.fits(size) {
            tracing::debug!(size, "compiled code is larger than the cache: it is not kept");
            return;
        }
        match self.write(room, key, artefact, size) {
            // Another daemon has the lock, or took the file for a left-over. It is compiled once more, that is all.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotFound) => {
                tracing::debug!("compiled code is not kept: {error}");
            }
            Err(error) => self.warn_once(&error),
            Ok(()) => {}
        }
    }

    fn write(&self, room: &Room, key: &Key, artefact: &[u8], size: u64) -> io::Result<()> {
        let (mut file, path) = self.temporary()?;
        let written = file
            .try_lock()
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(artefact))
            .and_then(|()| file.write_all(key.digest(artefact).as_bytes()))
            .and_then(|()| room.admit(&path, &self.path(key), size));
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    }

    /// A file that nobody else writes to. While it is locked no daemon takes it for a left-over.
    fn temporary(&self) -> io::Result<(File, PathBuf)> {
        loop {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let path = self.directory.join(format!("{}-{number}.{TEMPORARY}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                // Of a daemon in another container, with the same number.
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
            tracing::warn!("compiled code cannot be kept in `{directory}`, the next start compiles again: {error}");
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

/// Removes what a crash has left half written: temporary files that nobody holds locked.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TEMPORARY) {
            match OpenOptions::new().write(true).open(&path) {
                // Another daemon may sweep too.
                Ok(file) if file.try_lock().is_ok() => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
    }
    Ok(())
}
