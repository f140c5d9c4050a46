//! The file of accounts. It is an SQLite database, so that a daemon that is killed at any moment leaves everything that it
//! stored before intact, and others can read the file while a daemon runs.
//!
//! It has a write-ahead log that is not synced at each flush: what was stored survives the process at once, and a power cut
//! can lose the last seconds but cannot damage the file. Source: SQLite, "Write-Ahead Logging"
//! and `PRAGMA synchronous`.

mod error;
mod fold;
pub mod rows;
pub mod schema;
mod stored;
mod whereabouts;
mod write;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use error::StoreError;
pub use fold::Bounds;
pub use whereabouts::Loss;
use whereabouts::{BESIDE, Whereabouts, beside};

/// How long to wait for another writer: a flush takes milliseconds, and folding a year of hours a second or two.
const BUSY_TIME_MAX: Duration = Duration::from_secs(10);

/// Pages of 4 KiB in the write-ahead log before it is checkpointed. SQLite's default of a thousand would take 4 MiB more on a
/// small file system, and a flush writes a few pages.
const WAL_PAGES: u32 = 100;

/// The file of accounts, open for writing. Only one daemon has it, the one that holds the directory for state.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    whereabouts: Whereabouts,
}

impl Store {
    /// Opens or creates the file. A damaged file is renamed, with the time in its name, and a new one is created.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as_it_is(path).or_else(|error| {
            if !error.is_damage() {
                return Err(error);
            }
            let aside = set_aside(path, SystemTime::now()).map_err(|_| error)?;
            tracing::error!(
                "`{}` is damaged: it was renamed to `{}`, and accounts start from zero; `sqlite3 FILE .recover` may restore \
                 its contents",
                path.display(),
                aside.display()
            );
            Self::open_as_it_is(path)
        })
    }

    fn open_as_it_is(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.into(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        // Created here, readable by its owner alone: joules of calls are a side channel. SQLite gives its other files the same
        // mode. If the file cannot be created, SQLite says why below.
        drop(OpenOptions::new().append(true).create(true).mode(0o600).open(path));
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        schema::migrate(&mut connection, path)?;
        Ok(Self { connection, whereabouts: Whereabouts::of(path) })
    }

    /// What has become of the file, if it is not where it was opened.
    pub fn loss(&self) -> Option<Loss> {
        self.whereabouts.loss()
    }

    /// Closes a file that is lost, so that another one can take its place.
    pub fn abandon(self) {
        let Self { connection, whereabouts } = self;
        drop(connection);
        whereabouts.clear();
    }

    /// Opens the file for reading, whether a daemon is running or not.
    pub fn read(path: &Path) -> Result<Connection, StoreError> {
        let failed = |source| StoreError::Open { path: path.into(), source };
        if !path.exists() {
            return Err(StoreError::Missing(path.parent().unwrap_or(path).into()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIME_MAX).map_err(failed)?;
        match schema::check(&connection, path) {
            // The directory cannot be written and there is no write-ahead log: the file itself is complete.
            // Source: SQLite, "Write-Ahead Logging", section "Read-Only Databases".
            Err(StoreError::Open { source, .. })
                if source.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !beside(path, BESIDE[0]).exists() =>
            {
                let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                let connection =
                    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(failed)?;
                schema::check(&connection, path).map(|()| connection)
            }
            checked => checked.map(|()| connection),
        }
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIME_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    // Folding makes the write-ahead log large; it is truncated afterwards.
    connection.pragma_update(None, "journal_size_limit", WAL_PAGES * 4096)?;
    // Better to find a damaged page now than in a report.
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" {
        return Ok(());
    }
    let damage = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damage, Some(sound)))
}

/// Renames a damaged file and SQLite's other files.
fn set_aside(path: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let aside = beside(path, &format!(".broken-{}", format_rfc3339_seconds(now)));
    std::fs::rename(path, &aside)?;
    for suffix in BESIDE {
        // Usually they do not exist.
        let _ = std::fs::rename(beside(path, suffix), beside(&aside, suffix));
    }
    Ok(aside)
}

#[cfg(test)]
mod tests;
