//! The access log: one line for each response, written by a thread of its own. A request leaves its facts in a bounded
//! queue. If the queue is full, the line is dropped and counted.

mod line;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;

use super::facts::Facts;
use crate::units::Policy;
pub use line::AccessFormat;

/// Lines that wait to be written: what a busy daemon answers in the tenth of a second that a disk may take.
const QUEUE: usize = 8192;

/// How long the last lines may take when the daemon ends.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Not for everyone on this machine to read: paths hold what people looked for.
const MODE: u32 = 0o640;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTarget {
    Stderr,
    /// Appended to this file.
    File(PathBuf),
}

#[derive(Clone, Debug)]
pub struct AccessLogSettings {
    pub target: AccessTarget,
    pub format: AccessFormat,
    pub policy: Policy,
}

pub struct AccessLog {
    queue: SyncSender<Item>,
    dropped: IntCounter,
}

enum Item {
    Line(Arc<Facts>),
    /// The file was renamed: a new one is to be opened in its place.
    Reopen,
    Flush(SyncSender<()>),
}

impl AccessLog {
    /// Opens the file and starts the thread that writes. Lines that are lost are counted in `dropped`.
    ///
    /// # Errors
    /// If the file cannot be opened or the thread cannot be started.
    pub fn start(settings: AccessLogSettings, dropped: IntCounter) -> io::Result<Self> {
        let output = Output::open(&settings.target)?;
        let (queue, items) = sync_channel(QUEUE);
        let writer = Writer { output, settings, dropped: dropped.clone(), failing: false };
        thread::Builder::new().name("access-log".into()).spawn(move || writer.run(&items))?;
        Ok(Self { queue, dropped })
    }

    pub(super) fn write(&self, facts: &Arc<Facts>) {
        if self.queue.try_send(Item::Line(facts.clone())).is_err() {
            self.dropped.inc();
        }
    }

    /// Opens the file anew, after log rotation has renamed it.
    pub fn reopen(&self) {
        // It is request for by people and by timers, and may wait.
        let _ = self.queue.send(Item::Reopen);
    }

    /// Waits until everything in the queue is written, but at most [`FLUSH_MAX`].
    pub fn flush(&self) {
        let (done, end) = sync_channel(1);
        if self.queue.try_send(Item::Flush(done)).is_ok() {
            let _ = end.recv_timeout(FLUSH_MAX);
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessLog").finish_non_exhaustive()
    }
}

struct Writer {
    output: Output,
    settings: AccessLogSettings,
    dropped: IntCounter,
    /// Whether the last write failed, so that a full disk is logged once.
    failing: bool,
}

impl Writer {
    fn run(mut self, items: &Receiver<Item>) {
        let mut line = String::new();
        while let Ok(item) = items.recv() {
            let mut next = Some(item);
            let mut lines = 0;
            // Everything in the queue goes out in one write.
            while let Some(item) = next.take() {
                match item {
                    Item::Line(facts) => {
                        line.clear();
                        self.settings.format.write(&facts, self.settings.policy, &mut line);
                        lines += 1;
                        if let Err(error) = self.output.write(line.as_bytes()) {
                            self.fail(&error, 1);
                            lines -= 1;
                        }
                    }
                    Item::Reopen => self.reopen(),
                    Item::Flush(done) => {
                        self.flush(std::mem::take(&mut lines));
                        let _ = done.try_send(());
                    }
                }
                next = items.try_recv().ok();
            }
            self.flush(lines);
        }
    }

    fn flush(&mut self, lines: u64) {
        match self.output.flush() {
            Ok(()) if lines > 0 && std::mem::take(&mut self.failing) => {
                tracing::info!("the access log is being written again");
            }
            Ok(()) => {}
            Err(error) => self.fail(&error, lines),
        }
    }

    fn reopen(&mut self) {
        self.flush(0);
        match Output::open(&self.settings.target) {
            Ok(output) => self.output = output,
            Err(error) => tracing::error!("cannot reopen the access log, so it continues in the renamed file: {error}"),
        }
    }

    fn fail(&mut self, error: &io::Error, lines: u64) {
        self.dropped.inc_by(lines);
        self.output.discard();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("cannot write the access log: {error}");
        }
    }
}

enum Output {
    Stderr(BufWriter<io::Stderr>),
    File(BufWriter<File>),
}

impl Output {
    fn open(target: &AccessTarget) -> io::Result<Self> {
        Ok(match target {
            AccessTarget::Stderr => Self::Stderr(BufWriter::new(io::stderr())),
            AccessTarget::File(path) => Self::File(BufWriter::new(append(path)?)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr(output) => output.write_all(bytes),
            Self::File(output) => output.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr(output) => output.flush(),
            Self::File(output) => output.flush(),
        }
    }

    /// Discards what could not be written: part of a line would spoil the next.
    fn discard(&mut self) {
        if let Self::File(output) = self
            && let Ok(file) = output.get_ref().try_clone()
        {
            let (_, _) = std::mem::replace(output, BufWriter::new(file)).into_parts();
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}
