//! The thread that stores accounts: every `usage.flush`, it adds what they have grown by since the last time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use thiserror::Error;

use super::Hour;
use super::pending::{EnergyRate, Pending};
use super::reading::Reading;
use super::store::{Bounds, Loss, Store, StoreError};
use crate::causes::chain;

/// Most rows that wait while nothing can be stored: some 20 MB. Beyond that, no reading is taken until they are stored. The
/// next reading then brings everything since, in a later hour.
const PENDING_MAX: usize = 100_000;

#[derive(Clone, Debug)]
pub struct FlusherSettings {
    pub file: PathBuf,
    pub flush: Duration,
    pub bounds: Bounds,
}

#[derive(Debug, Error)]
#[error("cannot start the thread that stores accounts")]
pub struct FlusherError(#[source] std::io::Error);

/// Whether accounts are being stored.
#[derive(Debug, Default)]
pub struct FlushStatus {
    stored: AtomicU64,
    failed: AtomicU64,
    rows: AtomicU64,
    failing_since: Mutex<Option<Instant>>,
}

impl FlushStatus {
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Rows in the file when they were last counted.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// For how long nothing could be stored; zero while accounts are stored.
    pub fn failing_for(&self) -> Duration {
        let since = self.failing_since.lock();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Counts a flush. Returns whether its result differs from the last one.
    fn note(&self, stored: bool) -> bool {
        if stored { &self.stored } else { &self.failed }.fetch_add(1, Ordering::Relaxed);
        let mut since = self.failing_since.lock();
        let before = *since;
        *since = if stored { None } else { before.or_else(|| Some(Instant::now())) };
        before.is_some() == stored
    }
}

/// Stores accounts until it is dropped, and once more then.
pub struct Flusher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Stores what `read` returns in `store`, or else in the file of the settings, as soon as it can be opened.
    pub fn start(
        settings: FlusherSettings,
        store: Option<Store>,
        status: Arc<FlushStatus>,
        mut read: impl FnMut() -> Reading + Send + 'static,
        rates: impl Fn() -> Vec<EnergyRate> + Send + 'static,
    ) -> Result<Self, FlusherError> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            let flush = settings.flush;
            let mut accounting = Accounting::new(settings, store, status);
            loop {
                let last = stopped.recv_timeout(flush) != Err(RecvTimeoutError::Timeout);
                accounting.flush(read(), &rates(), SystemTime::now());
                if last {
                    return accounting.close();
                }
            }
        };
        let thread = thread::Builder::new().name("usage".into()).spawn(run).map_err(FlusherError)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that stores accounts has panicked: the stored accounts are incomplete");
        }
    }
}

struct Accounting {
    settings: FlusherSettings,
    store: Option<Store>,
    status: Arc<FlushStatus>,
    pending: Pending,
    last: Reading,
    /// The hour in which the file was last kept within its bounds, and the rows added since.
    kept_within: Option<Hour>,
    added: u64,
}

impl Accounting {
    fn new(settings: FlusherSettings, store: Option<Store>, status: Arc<FlushStatus>) -> Self {
        let (pending, last) = (Pending::default(), Reading::default());
        Self { settings, store, status, pending, last, kept_within: None, added: 0 }
    }

    /// Stores what has come since the last reading, with everything that could not be stored before.
    fn flush(&mut self, now: Reading, rates: &[EnergyRate], time: SystemTime) {
        self.check_file();
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
                    tracing::info!("accounts are being stored again; nothing was lost");
                }
                self.keep_within(Hour::of(time));
            }
            Err(error) => {
                if self.status.note(false) {
                    let why = chain(&error);
                    tracing::error!(
                        "{why}; trying again at each flush. Until then, accounts since the last flush are lost if the \
                         daemon is killed"
                    );
                }
                if error.is_damage() {
                    // Opening it again sets the damaged file aside.
                    self.store = None;
                }
            }
        }
    }

    /// If the file was deleted, the next one gets all that this daemon has counted. If another file is in its place, whoever put it
    /// there knows what it contains, and it gets what comes from now on.
    fn check_file(&mut self) {
        let Some(loss) = self.store.as_ref().and_then(Store::loss) else { return };
        let file = self.settings.file.display();
        match loss {
            Loss::Deleted => {
                tracing::error!(
                    "`{file}` was deleted while the daemon ran: its accounts since it started are written anew"
                );
                (self.pending, self.last) = Default::default();
            }
            Loss::Replaced => {
                tracing::error!("`{file}` was replaced while the daemon ran: accounts continue in the new file");
            }
        }
        if let Some(lost) = self.store.take() {
            lost.abandon();
        }
    }

    fn store(&mut self, time: SystemTime) -> Result<(), StoreError> {
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(&self.settings.file)?),
        };
        store.add(&self.pending, time)
    }

    /// Folds old hours, once an hour and when many rows were added.
    fn keep_within(&mut self, hour: Hour) {
        let bounds = self.settings.bounds;
        if self.kept_within == Some(hour) && self.added < bounds.rows / 8 {
            return;
        }
        let Some(store) = &mut self.store else { return };
        (self.kept_within, self.added) = (Some(hour), 0);
        match store.keep_within(bounds, hour) {
            Ok(rows) => self.status.rows.store(rows, Ordering::Relaxed),
            Err(error) => tracing::warn!("cannot fold old accounts: {}", chain(&error)),
        }
    }

    fn close(self) {
        if !self.pending.is_empty() {
            tracing::error!("the last accounts could not be stored and are lost");
        }
    }
}

#[cfg(test)]
mod tests;
