//! Keeps the entries within their bound, even if several processes add to one directory.
//!
//! Whoever adds an entry holds a lock on the file `lock`. The file contains the sum of all sizes, so that a new entry needs
//! no look at all the others. The sum is written before the entry is in place: after a crash it is too high, never too low.
//! It is counted again when it says that there is no space.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// The extension of entries.
pub const ENTRY: &str = "cwasm";

/// How long to wait for the lock. It is held for milliseconds: for a rename, or to look at all entries when some are evicted.
/// A process that was stopped while it held the lock must not hold up the others.
const PATIENCE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub struct Space {
    directory: PathBuf,
    bytes_max: u64,
    /// File locks do not exclude threads of one process: the mutex does.
    lock: Mutex<File>,
}

impl Space {
    /// Counts the entries, and evicts some if the bound is smaller than it was.
    pub fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let lock = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = Mutex::new(lock.open(directory.join("lock"))?);
        let space = Self { directory: directory.into(), bytes_max, lock };
        space.locked(|lock| {
            let sum = space.evict(0, None)?;
            write_sum(lock, sum)
        })?;
        Ok(space)
    }

    /// The sum of all sizes when the last entry was added.
    pub fn bytes(&self) -> Option<u64> {
        // Eight bytes are written in one piece, so reading them needs no lock on the file.
        read_sum(&self.lock.lock())
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    pub fn fits(&self, size: u64) -> bool {
        size <= self.bytes_max
    }

    /// Moves the file `from`, which has `size` bytes, to `to`. Evicts the entries that were least recently used to make space.
    pub fn admit(&self, from: &Path, to: &Path, size: u64) -> io::Result<()> {
        self.locked(|lock| {
            let replaced = fs::symlink_metadata(to).map_or(0, |metadata| metadata.len());
            let sum = read_sum(lock).unwrap_or(u64::MAX).saturating_sub(replaced);
            let sum = if sum.saturating_add(size) > self.bytes_max { self.evict(size, Some(to))? } else { sum };
            write_sum(lock, sum + size)?;
            fs::rename(from, to)
        })
    }

    /// Evicts entries until `size` more bytes fit, and returns the sum of what is left. The entry `replaced` stays and does
    /// not count.
    fn evict(&self, size: u64, replaced: Option<&Path>) -> io::Result<u64> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == ENTRY) && replaced != Some(&path) {
                // Another process may have removed it meanwhile.
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                entries.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        entries.sort();
        let mut sum = entries.iter().map(|(_, size, _)| size).sum::<u64>();
        for (_, freed, path) in entries {
            if sum.saturating_add(size) <= self.bytes_max {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => sum -= freed,
            }
            tracing::debug!("evicted compiled code `{}`", path.display());
        }
        Ok(sum)
    }

    fn locked<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let lock = self.lock.lock();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        let done = work(&lock);
        lock.unlock()?;
        done
    }
}

fn read_sum(lock: &File) -> Option<u64> {
    let mut bytes = [0; 8];
    lock.read_exact_at(&mut bytes, 0).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn write_sum(lock: &File, sum: u64) -> io::Result<()> {
    lock.write_all_at(&sum.to_le_bytes(), 0)
}
