//! Keeps the entries within their bound, also where several daemons add to one directory.
//!
//! Whoever adds an entry holds the lock on the file `lock`, which also has the sum of all sizes, so that nobody needs to
//! look at every entry for each new one. The sum is written before the entry is there. After a crash it is too
//! high, never too low; it is made exact when it says that there is no room.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// What the file names of entries end with.
pub const ENTRY: &str = "cwasm";

/// How long to wait for the lock. It is held for a rename or, when entries go, for a look at each: milliseconds. A
/// daemon that was stopped while it held the lock must not hold up the others.
const PATIENCE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(1);

/// The room for entries in a directory.
#[derive(Debug)]
pub struct Room {
    directory: PathBuf,
    bytes_max: u64,
    /// Locks are a file's, not a thread's: threads take turns by the mutex.
    lock: Mutex<File>,
}

impl Room {
    /// Takes stock, and makes entries go if there is less room than there was.
    pub fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let lock = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = Mutex::new(lock.open(directory.join("lock"))?);
        let room = Self { directory: directory.into(), bytes_max, lock };
        room.locked(|lock| {
            let sum = room.evict(0, None)?;
            write_sum(lock, sum)
        })?;
        Ok(room)
    }

    /// The sum of all sizes, as whoever added the last entry left it.
    pub fn bytes(&self) -> Option<u64> {
        // A read of eight bytes that are written at once needs no lock on the file.
        read_sum(&self.lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Whether an entry of this size can be kept at all.
    pub fn fits(&self, size: u64) -> bool {
        size <= self.bytes_max
    }

    /// Moves the file `from`, which has `size` bytes, to `to`. The entries least recently used go for it.
    pub fn admit(&self, from: &Path, to: &Path, size: u64) -> io::Result<()> {
        self.locked(|lock| {
            let replaced = fs::symlink_metadata(to).map_or(0, |metadata| metadata.len());
            let sum = read_sum(lock).unwrap_or(u64::MAX).saturating_sub(replaced);
            let sum = if sum.saturating_add(size) > self.bytes_max { self.evict(size, Some(to))? } else { sum };
            write_sum(lock, sum + size)?;
            fs::rename(from, to)
        })
    }

    /// Makes entries go until `size` more bytes fit. The entry `replaced` is not counted, and stays. Gives the sum of
    /// what is left.
    fn evict(&self, size: u64, replaced: Option<&Path>) -> io::Result<u64> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == ENTRY) && replaced != Some(&path) {
                // Another daemon may have discarded it meanwhile.
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
            tracing::debug!("compiled code was evicted: `{}`", path.display());
        }
        Ok(sum)
    }

    fn locked<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
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

/// The sum, if there is one.
fn read_sum(lock: &File) -> Option<u64> {
    let mut bytes = [0; 8];
    lock.read_exact_at(&mut bytes, 0).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn write_sum(lock: &File, sum: u64) -> io::Result<()> {
    lock.write_all_at(&sum.to_le_bytes(), 0)
}
