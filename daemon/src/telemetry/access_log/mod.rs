//! The access log: one line for each response, written by a thread of its own. A request leaves its facts in a bounded
//! queue. If the queue is full, the line is dropped and counted.

mod line;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
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

/// Bytes that are written at once.
const WRITE: usize = 64 << 10;

/// How long the last lines may take when the daemon ends.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Not readable by everyone on this machine: paths and queries may hold private data.
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
    pub fn start(settings: AccessLogSettings, policy: Policy, dropped: IntCounter) -> io::Result<Self> {
        let output = open(&settings.target)?;
        let (queue, items) = sync_channel(QUEUE);
        let (waiting, lost) = (String::new(), dropped.clone());
        let writer = Writer { output, settings, policy, waiting, lines: 0, dropped: lost, failing: false };
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
        // People and timers ask for it, and they can wait.
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

struct Writer {
    output: Box<dyn Write + Send>,
    settings: AccessLogSettings,
    policy: Policy,
    /// Lines that were not written yet, and their number.
    waiting: String,
    lines: u64,
    dropped: IntCounter,
    /// Whether the last write failed, so that a full disk is logged once.
    failing: bool,
}

impl Writer {
    fn run(mut self, items: &Receiver<Item>) {
        while let Ok(item) = items.recv() {
            // Everything in the queue goes out in one write, if it is not too much.
            let mut next = Some(item);
            while let Some(item) = next {
                match item {
                    Item::Line(facts) => {
                        self.settings.format.write(&facts, self.policy, &mut self.waiting);
                        self.lines += 1;
                        if self.waiting.len() >= WRITE {
                            self.flush();
                        }
                    }
                    Item::Reopen => self.reopen(),
                    Item::Flush(done) => {
                        self.flush();
                        let _ = done.try_send(());
                    }
                }
                next = items.try_recv().ok();
            }
            self.flush();
        }
    }

    fn flush(&mut self) {
        match self.output.write_all(self.waiting.as_bytes()) {
            Ok(()) if self.lines > 0 && std::mem::take(&mut self.failing) => {
                tracing::info!("the access log is being written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.dropped.inc_by(self.lines);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!("cannot write the access log: {error}");
                }
            }
        }
        self.waiting.clear();
        self.lines = 0;
    }

    fn reopen(&mut self) {
        self.flush();
        match open(&self.settings.target) {
            Ok(output) => self.output = output,
            Err(error) => tracing::error!("cannot reopen the access log, so it continues in the renamed file: {error}"),
        }
    }
}

fn open(target: &AccessTarget) -> io::Result<Box<dyn Write + Send>> {
    Ok(match target {
        AccessTarget::Stderr => Box::new(io::stderr()),
        AccessTarget::File(path) => Box::new(OpenOptions::new().append(true).create(true).mode(MODE).open(path)?),
    })
}
