//! The file: SQLite, so that a daemon that is killed at any moment leaves what it stored before, whole, and anybody can
//! read it beside a daemon that runs.
//!
//! It is written ahead (WAL) and not synced at each flush: what was stored outlives the process at once, and a machine
//! that loses its power may lose the last seconds, but never gets a broken file. Source: SQLite, "Write-Ahead Logging"
//! and `PRAGMA synchronous`.

mod fold;
pub mod schema;
mod stored;
mod write;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use super::pending::ZoneKey;
use super::reading::FunctionVersion;
pub use fold::Bounds;

/// How long one waits for another who writes: a flush takes milliseconds, folding a year of hours a second or two.
const BUSY_TIME_MAX: Duration = Duration::from_secs(10);

/// After how many pages of 4 KiB what was written ahead goes to its place. SQLite's own thousand would need 4 MiB more on
/// a small file system, and a flush writes a few pages.
const WAL_PAGES: u32 = 100;

/// What SQLite's files are named beside the file itself.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Why accounts cannot be kept, or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A later program wrote it.
    #[error(
        "`{}` was written by a newer nebula (schema {found}, this one knows {known}): use that one, or give another \
         directory with --state DIR",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema that is known.
        known: i64,
    },
    /// It is not there.
    #[error("there are no accounts in `{}`: no daemon has kept its state there", .0.display())]
    Missing(PathBuf),
    /// It cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Something cannot be written.
    #[error("cannot store accounts")]
    Write(#[source] rusqlite::Error),
    /// Something cannot be read.
    #[error("cannot read accounts")]
    Read(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the file is not what it should be, so that trying again is of no use.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let (Self::Open { source, .. } | Self::Write(source) | Self::Read(source)) = self else { return false };
        matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }
}

/// The file of accounts, open to be written. One daemon has it: whoever opens it holds the directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    functions: HashMap<FunctionVersion, i64>,
    zones: HashMap<ZoneKey, i64>,
}

impl Store {
    /// Opens the file, which is made if need be. A file that is damaged is set aside, under a name that tells when, and a
    /// new one begun.
    ///
    /// # Errors
    /// When a later program wrote it, or it cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as_it_is(path).or_else(|error| {
            if !error.is_damage() {
                return Err(error);
            }
            let aside = set_aside(path, SystemTime::now()).map_err(|_| error)?;
            tracing::error!(
                "`{}` is damaged and can be read no more: it is kept as `{}`, and accounts begin anew; `sqlite3 FILE .recover` \
                 may bring back what is in it",
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
        // Made here, for its owner alone: joules of calls are not for everybody. What SQLite makes beside it is like it. Where
        // it cannot be made SQLite says why.
        drop(OpenOptions::new().append(true).create(true).mode(0o600).open(path));
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        prepare(&connection).map_err(failed)?;
        schema::migrate(&mut connection, path)?;
        Ok(Self { connection, functions: HashMap::new(), zones: HashMap::new() })
    }

    /// Opens the file to be read alone, beside a daemon that runs or after one.
    ///
    /// # Errors
    /// When there is none, a later program wrote it, or it cannot be read.
    pub fn read(path: &Path) -> Result<Connection, StoreError> {
        let failed = |source| StoreError::Open { path: path.into(), source };
        if !path.exists() {
            return Err(StoreError::Missing(path.parent().unwrap_or(path).into()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIME_MAX).map_err(failed)?;
        match schema::check(&connection, path) {
            // Where nothing can be made beside it, and nothing is there, the file is all that there is.
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
    // What folding has made of the file beside does not stay so large.
    connection.pragma_update(None, "journal_size_limit", WAL_PAGES * 4096)?;
    // A page that is broken is better found now than by a report.
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" {
        return Ok(());
    }
    let damage = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damage, Some(sound)))
}

/// Gives a damaged file, and what is beside it, a name of its own.
fn set_aside(path: &Path, now: SystemTime) -> std::io::Result<PathBuf> {
    let aside = beside(path, &format!(".broken-{}", format_rfc3339_seconds(now)));
    std::fs::rename(path, &aside)?;
    for suffix in BESIDE {
        // As a rule they are not there.
        let _ = std::fs::rename(beside(path, suffix), beside(&aside, suffix));
    }
    Ok(aside)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
