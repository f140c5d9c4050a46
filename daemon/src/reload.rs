//! Files that are read again when they change, or when SIGHUP asks for it.
//!
//! They are looked at once a second rather than watched: certificates and secrets arrive by renaming, through links, and on file
//! systems of which no news comes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// How often they are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a file looks like from outside; `None` where there is none. The time of its last change of any kind is set by the
/// kernel alone, and is the same only if nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What several files look like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<Option<Stamp>>);

impl Stamps {
    /// How they look now.
    pub fn of(paths: &[PathBuf]) -> Self {
        let stamp = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some(Stamp {
                inode: found.ino(),
                bytes: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            })
        };
        Self(paths.iter().map(stamp).collect())
    }
}

/// Files, and what to do when they change.
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Stamps,
    read_again: Box<dyn Fn() + Send>,
}

impl Watched {
    /// These files, which looked so when they were last read.
    pub fn new(paths: Vec<PathBuf>, seen: Stamps, read_again: impl Fn() + Send + 'static) -> Self {
        Self { paths, seen, read_again: Box::new(read_again) }
    }

    fn look(&mut self, asked: bool) {
        let now = Stamps::of(&self.paths);
        if asked || now != self.seen {
            self.seen = now;
            (self.read_again)();
        }
    }
}

/// Keeps what was read from these files as they are, for as long as it is polled.
///
/// # Errors
/// When signals cannot be listened for.
pub async fn keep_fresh(mut watched: Vec<Watched>) -> std::io::Result<()> {
    if watched.is_empty() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())?;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = ticks.tick() => false,
            _ = hangup.recv() => true,
        };
        // A file may be on a disk that is slow.
        let looked = tokio::task::spawn_blocking(move || {
            for watched in &mut watched {
                watched.look(asked);
            }
            watched
        });
        match looked.await {
            Ok(back) => watched = back,
            Err(error) => return Err(std::io::Error::other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn files_are_read_again_once_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let paths = vec![folder.path().join("a"), folder.path().join("b")];
        fs::write(&paths[0], "1").unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let count = times.clone();
        let seen = Stamps::of(&paths);
        let mut watched = Watched::new(paths.clone(), seen, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut look = |asked, expected| {
            watched.look(asked);
            assert_eq!(times.load(Ordering::Relaxed), expected);
        };
        look(false, 0);
        look(true, 1);
        fs::write(&paths[1], "2").unwrap();
        look(false, 2);
        look(false, 2);
        fs::rename(&paths[1], &paths[0]).unwrap();
        look(false, 3);
        fs::remove_file(&paths[0]).unwrap();
        look(false, 4);
        look(false, 4);
    }
}
