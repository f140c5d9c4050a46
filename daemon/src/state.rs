//! The directory for what outlives a daemon, and the lock by which one daemon alone has it: two that write the same
//! accounts would count neither's work right.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

/// The file that is locked. It stays when the daemon ends: whoever removed it could let two in.
const LOCK: &str = "lock";

/// Bytes of the lock file that are read: a process number has ten digits at most.
const PID_MAX: u64 = 32;

/// Why a directory is not ours.
#[derive(Debug, Error)]
pub enum StateError {
    #[error(
        "another daemon{} keeps its state in `{}`; give this one a directory of its own with --state DIR",
        pid.as_deref().map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    Held {
        path: PathBuf,
        /// The process that has it, as far as it says.
        pid: Option<String>,
    },
    /// It can be neither found nor made, or not be written to.
    #[error("cannot write to `{}`", path.display())]
    Open { path: PathBuf, source: io::Error },
}

/// A directory that no other daemon has, until this is dropped.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    _lock: File,
}

impl State {
    /// Takes the directory, which is made if need be. The lock ends with the process, however it ends.
    ///
    /// Source: Linux `flock(2)`.
    ///
    /// # Errors
    /// When another daemon has it, or it cannot be written to.
    pub fn hold(path: &Path) -> Result<Self, StateError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StateError::Open { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let file = path.join(LOCK);
        let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let mut lock = options().open(&file).map_err(failed(&file))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StateError::Held { path: path.into(), pid: pid(&mut lock) }),
            Err(error) => return Err(failed(&file)(error.into())),
        }
        // The process ID is only for people: the lock holds even if the ID cannot be written.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.into(), _lock: lock })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn pid(lock: &mut File) -> Option<String> {
    let mut text = String::new();
    lock.take(PID_MAX).read_to_string(&mut text).ok()?;
    let pid = text.trim();
    (!pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())).then(|| pid.to_owned())
}

/// Writes a file beside `path`, and renames it when it is complete.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // No two threads write one name at once. In a folder of functions, a name that begins with a dot and has another
    // extension is no function's.
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{file_name}.part"));
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&beside);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_one_daemon_holds_the_directory_and_the_error_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/when/needed");
        let state = State::hold(&path).unwrap();
        let refused = State::hold(&path).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refused.contains(&format!("(process {pid}) keeps its state in `{}`", path.display())), "{refused}");
        assert!(refused.ends_with("--state DIR"), "{refused}");
        fs::write(path.join(LOCK), "no number").unwrap();
        assert!(matches!(State::hold(&path), Err(StateError::Held { pid: None, .. })));
        drop(state);
        assert_eq!(State::hold(&path).unwrap().path(), path);
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [&file, &file.join("below")] {
            assert!(matches!(State::hold(path), Err(StateError::Open { .. })), "{path:?}");
        }
    }
}
