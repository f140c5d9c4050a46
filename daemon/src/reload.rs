//! Reloads files when they change, or at SIGHUP.
//!
//! Files are polled once a second: certificates and secrets are often replaced by renaming, behind symbolic links, or on
//! file systems that send no change notifications.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// For each of several files, what identifies its version: inode, size, and the times of the last modification and change.
/// `None` for one that does not exist. The kernel alone sets the time of change, so an equal stamp means an unchanged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<Option<(u64, u64, [i64; 4])>>);

impl Stamps {
    pub fn of(paths: &[PathBuf]) -> Self {
        let stamp = |path: &PathBuf| {
            let found = fs::metadata(path).ok()?;
            let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
            Some((found.ino(), found.size(), times))
        };
        Self(paths.iter().map(stamp).collect())
    }
}

/// Files, and what to do when they change.
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Stamps,
    reload: Box<dyn Fn() + Send>,
}

impl Watched {
    /// `seen` must be taken before the files are read, so that a change in between is noticed.
    pub fn new(paths: Vec<PathBuf>, seen: Stamps, reload: impl Fn() + Send + 'static) -> Self {
        Self { paths, seen, reload: Box::new(reload) }
    }

    fn check(&mut self, forced: bool) {
        let now = Stamps::of(&self.paths);
        if forced || now != self.seen {
            self.seen = now;
            (self.reload)();
        }
    }
}

/// Reloads each of `watched` when its files change or SIGHUP arrives, for as long as it is polled.
pub async fn reload_on_change(mut watched: Vec<Watched>) -> std::io::Result<()> {
    if watched.is_empty() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())?;
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let forced = tokio::select! {
            _ = ticks.tick() => false,
            _ = hangup.recv() => true,
        };
        // The disk may be slow.
        let checked = tokio::task::spawn_blocking(move || {
            for watched in &mut watched {
                watched.check(forced);
            }
            watched
        });
        match checked.await {
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
    fn files_are_reloaded_once_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let paths = vec![folder.path().join("a"), folder.path().join("b")];
        fs::write(&paths[0], "1").unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let count = times.clone();
        let seen = Stamps::of(&paths);
        let mut watched = Watched::new(paths.clone(), seen, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut check = |forced, expected| {
            watched.check(forced);
            assert_eq!(times.load(Ordering::Relaxed), expected);
        };
        check(false, 0);
        check(true, 1);
        fs::write(&paths[1], "2").unwrap();
        check(false, 2);
        check(false, 2);
        fs::rename(&paths[1], &paths[0]).unwrap();
        check(false, 3);
        fs::remove_file(&paths[0]).unwrap();
        check(false, 4);
        check(false, 4);
    }
}
