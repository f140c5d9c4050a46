//! The one thread that stores: what has come since the last flush, again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use thiserror::Error;

use super::Hour;
use super::pending::{Pending, Rates};
use super::reading::Reading;
use super::store::{Bounds, Store, StoreError};
use crate::causes::chain;

/// Rows that wait at most while nothing can be stored: some 20 MB. Beyond that no further reading is taken until they are
/// stored; the next one brings what has come meanwhile, though to a later hour.
const PENDING_MAX: usize = 100_000;

/// How the thread is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Time between two flushes.
    pub flush: Duration,
    /// How much is kept.
    pub bounds: Bounds,
}

/// The thread could not be started.
#[derive(Debug, Error)]
#[error("cannot start the thread that stores accounts")]
pub struct KeeperError(#[source] std::io::Error);

/// How storing goes.
#[derive(Debug, Default)]
pub struct Status {
    stored: AtomicU64,
    failed: AtomicU64,
    rows: AtomicU64,
    failing_since: Mutex<Option<Instant>>,
}

impl Status {
    /// Flushes that were stored.
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Flushes that could not be.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Rows in the file, as they were counted last.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// For how long nothing could be stored; zero while it can be.
    pub fn failing_for(&self) -> Duration {
        let since = self.failing_since.lock();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Notes how a flush went; says whether that is news.
    fn note(&self, stored: bool) -> bool {
        if stored { &self.stored } else { &self.failed }.fetch_add(1, Ordering::Relaxed);
        let mut since = self.failing_since.lock();
        let before = *since;
        *since = if stored { None } else { before.or_else(|| Some(Instant::now())) };
        before.is_some() == stored
    }
}

/// Stores until dropped; once more then.
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Stores what `read` gives in `store`, or in a file that is opened as soon as that is possible. What a joule comes to
    /// is asked of `rates` at each flush.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        settings: Settings,
        store: Option<Store>,
        status: Arc<Status>,
        mut read: impl FnMut() -> Reading + Send + 'static,
        rates: impl Fn() -> Rates + Send + 'static,
    ) -> Result<Self, KeeperError> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            let flush = settings.flush;
            let mut books = Books::new(settings, store, status);
            loop {
                let last = stopped.recv_timeout(flush) != Err(RecvTimeoutError::Timeout);
                books.flush(read(), &rates(), SystemTime::now());
                if last {
                    return books.close();
                }
            }
        };
        let thread = thread::Builder::new().name("usage".into()).spawn(run).map_err(KeeperError)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that stores accounts had stopped: they are incomplete");
        }
    }
}

/// What is stored, and what is not yet.
struct Books {
    settings: Settings,
    store: Option<Store>,
    status: Arc<Status>,
    pending: Pending,
    last: Reading,
    /// The hour in which the file was last kept within its bounds, and rows that were added since.
    kept_within: Option<Hour>,
    added: u64,
}

impl Books {
    fn new(settings: Settings, store: Option<Store>, status: Arc<Status>) -> Self {
        let (pending, last) = (Pending::default(), Reading::default());
        Self { settings, store, status, pending, last, kept_within: None, added: 0 }
    }

    /// Stores what has come since the last reading, and whatever could not be stored before.
    fn flush(&mut self, now: Reading, rates: &Rates, time: SystemTime) {
        if self.pending.len() <= PENDING_MAX {
            self.pending.add(Hour::of(time), &self.last, &now, rates);
            self.last = now;
        }
        if self.pending.is_empty() {
            return;
        }
        match self.store(time) {
            Ok(()) => {
                self.added += self.pending.len() as u64;
                self.pending.clear();
                if self.status.note(true) {
                    tracing::info!("accounts are stored again, with all that has come meanwhile");
                }
                self.keep_within(Hour::of(time));
            }
            Err(error) => {
                if self.status.note(false) {
                    let why = chain(&error);
                    tracing::error!(
                        "accounts cannot be stored, and will be as soon as that is possible; until then they are lost if \
                         the daemon is killed: {why}"
                    );
                }
                if error.is_damage() {
                    // Opened again, it is set aside.
                    self.store = None;
                }
            }
        }
    }

    fn store(&mut self, time: SystemTime) -> Result<(), StoreError> {
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(&self.settings.file)?),
        };
        store.add(&self.pending, time)
    }

    /// Once an hour, and when many rows were added.
    fn keep_within(&mut self, hour: Hour) {
        let bounds = self.settings.bounds;
        if self.kept_within == Some(hour) && self.added < bounds.rows / 8 {
            return;
        }
        let Some(store) = &mut self.store else { return };
        (self.kept_within, self.added) = (Some(hour), 0);
        match store.keep_within(bounds, hour) {
            Ok(rows) => self.status.rows.store(rows, Ordering::Relaxed),
            Err(error) => tracing::warn!("old accounts cannot be folded now: {}", chain(&error)),
        }
    }

    fn close(self) {
        if !self.pending.is_empty() {
            tracing::error!("the last accounts could not be stored: they are lost");
        }
    }
}

#[cfg(test)]
mod tests;
