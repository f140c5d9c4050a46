//! The usage log: a line of JSON for each settled call, for people who bill by calls. The sampler queues entries; a thread of
//! its own writes them.

mod file;
mod line;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

use file::RotatedFile;
pub use line::UsageLogEntry;

/// Windows whose calls wait to be written. `usage.log-queue` bounds their lines.
const WINDOWS_MAX: usize = 256;

/// Time until a failed write is tried again.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct LogSettings {
    pub file: PathBuf,
    /// Bytes at which the next file begins.
    pub size: u64,
    /// Earlier files that are kept.
    pub keep: usize,
    /// Most lines that wait to be written.
    pub queue: usize,
}

#[derive(Debug, Error)]
pub enum LogError {
    #[error("cannot open the usage log `{}` (`usage.log`)", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("cannot start the thread that writes the usage log")]
    Start(#[source] std::io::Error),
}

#[derive(Debug, Default)]
pub struct Counts {
    queued: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    closing: AtomicBool,
}

impl Counts {
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Writes the log until it is dropped. Every [`LogHandle`] has to be dropped first.
pub struct UsageLog {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

/// Queues entries for the log.
pub struct LogHandle {
    lines: SyncSender<Vec<UsageLogEntry>>,
    counts: Arc<Counts>,
    queue: usize,
}

impl UsageLog {
    pub fn start(settings: LogSettings) -> Result<(Self, LogHandle), LogError> {
        let LogSettings { file: path, size, keep, queue } = settings;
        let file = RotatedFile::open(&path, size, keep).map_err(|source| LogError::Open { path, source })?;
        let (lines, received) = mpsc::sync_channel(WINDOWS_MAX);
        let counts = Arc::new(Counts::default());
        let run = {
            let counts = counts.clone();
            move || write(file, &received, &counts)
        };
        let thread = thread::Builder::new().name("usage-log".into()).spawn(run).map_err(LogError::Start)?;
        Ok((Self { counts: counts.clone(), thread: Some(thread) }, LogHandle { lines, counts, queue }))
    }

    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }
}

impl Drop for UsageLog {
    fn drop(&mut self) {
        self.counts.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the usage log has panicked: the log is incomplete");
        }
    }
}

impl LogHandle {
    /// Queues the calls of a window. Never waits: entries that find no room are dropped and counted.
    pub fn push(&self, mut entries: Vec<UsageLogEntry>) {
        // Nobody else adds to the queue, so there is at least this much room.
        let room = self.queue.saturating_sub(self.counts.queued.load(Ordering::Relaxed));
        self.drop_lines(entries.len().saturating_sub(room));
        entries.truncate(room);
        let count = entries.len();
        if count == 0 {
            return;
        }
        self.counts.queued.fetch_add(count, Ordering::Relaxed);
        if self.lines.try_send(entries).is_err() {
            self.counts.queued.fetch_sub(count, Ordering::Relaxed);
            self.drop_lines(count);
        }
    }

    fn drop_lines(&self, count: usize) {
        if count > 0 && self.counts.dropped.fetch_add(count as u64, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "dropping lines of the usage log, because calls end faster than they can be written (`usage.log-queue`); \
                 `nebula_usage_log_lines_total` counts them"
            );
        }
    }
}

fn write(mut file: RotatedFile, received: &Receiver<Vec<UsageLogEntry>>, counts: &Counts) {
    let mut failing = false;
    while let Ok(entries) = received.recv() {
        let lines = entries.iter().map(UsageLogEntry::line).collect::<Vec<_>>();
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let (done, result) = file.write(rest);
            rest = &rest[done..];
            counts.written.fetch_add(done as u64, Ordering::Relaxed);
            counts.queued.fetch_sub(done, Ordering::Relaxed);
            let Err(error) = result else {
                if std::mem::take(&mut failing) {
                    tracing::info!("the usage log is being written again");
                }
                continue;
            };
            if !std::mem::replace(&mut failing, true) {
                tracing::error!("cannot write the usage log, trying again every second: {error}");
            }
            if counts.closing.load(Ordering::Relaxed) {
                counts.dropped.fetch_add(rest.len() as u64, Ordering::Relaxed);
                tracing::error!("{} lines of the usage log are lost", rest.len());
                break;
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests;
