//! Whether the file of accounts is still where it was. Whoever deletes or replaces it while a daemon writes to it leaves the
//! daemon with a file that nobody can read.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use strum::Display;

/// The suffixes of SQLite's other files.
pub const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// What has become of the file.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq)]
#[strum(serialize_all = "lowercase")]
pub enum Loss {
    Deleted,
    Replaced,
}

/// A device, and a file on it.
type Identity = (u64, u64);

#[derive(Debug)]
pub struct Whereabouts {
    path: PathBuf,
    file: Option<Identity>,
    /// SQLite's other files, as far as they exist.
    beside: [Option<Identity>; 2],
}

impl Whereabouts {
    /// Of a file that has just been opened.
    pub fn of(path: &Path) -> Self {
        Self { path: path.into(), file: identity(path).ok(), beside: [None; 2] }
    }

    pub fn loss(&self) -> Option<Loss> {
        match identity(&self.path) {
            Ok(now) if self.file == Some(now) => None,
            Ok(_) => self.file.map(|_| Loss::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Loss::Deleted),
            // It may be there.
            Err(_) => None,
        }
    }

    /// To be called when something has been written, which may make SQLite's other files.
    pub fn note_beside(&mut self) {
        self.beside = self.identities_beside();
    }

    /// Removes those of SQLite's other files that belong to the lost file: it would take them for those of the next one. To be
    /// called when nobody has them open any more.
    pub fn clear(self) {
        let now = self.identities_beside();
        for ((suffix, known), now) in BESIDE.into_iter().zip(self.beside).zip(now) {
            if now.is_some() && now == known {
                // It may have been removed since.
                let _ = fs::remove_file(beside(&self.path, suffix));
            }
        }
    }

    fn identities_beside(&self) -> [Option<Identity>; 2] {
        BESIDE.map(|suffix| identity(&beside(&self.path, suffix)).ok())
    }
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}
