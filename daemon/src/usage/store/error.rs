//! Why accounts cannot be stored or read.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "`{}` was written by a newer nebula (schema {found}, this one knows {known}): use that one, or give another \
         directory with --state DIR",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("there are no accounts in `{}`: no daemon has kept its state there", .0.display())]
    Missing(PathBuf),
    #[error("cannot open `{}`", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("cannot store accounts")]
    Write(#[source] rusqlite::Error),
    #[error("cannot read accounts")]
    Read(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the file is damaged, so that trying again is of no use.
    pub fn is_damage(&self) -> bool {
        let (Self::Open { source, .. } | Self::Write(source) | Self::Read(source)) = self else { return false };
        matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }
}
