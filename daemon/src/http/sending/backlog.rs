//! All bytes that wait to be sent, and who keeps them waiting.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use slab::Slab;

use crate::http::settings::SendingBounds;

/// How often clients are looked at: often enough that a short `http.write-timeout` means what it says.
const LOOKS_PER_TIMEOUT: u32 = 8;
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// An answer that waits for its client.
pub(super) trait Waiting: Send + Sync {
    /// How far its client is behind, and how many bytes it holds; `None` if none, or if it has been cut off.
    fn behind_and_held(&self, now: Instant) -> Option<(Duration, usize)>;

    /// Cuts it off if its client is too far behind. Over HTTP/1 the writer does.
    fn check(&self, now: Instant);

    fn cut(&self, now: Instant);
}

/// What waits to be sent in the whole daemon.
pub struct Backlog {
    pub bounds: SendingBounds,
    held: AtomicUsize,
    /// That part of `held` whose answers have been cut off, and which is about to go.
    doomed: AtomicUsize,
    /// Bytes of answers that are still being put together.
    reserved: AtomicUsize,
    answers: Mutex<Slab<Weak<dyn Waiting>>>,
}

impl Backlog {
    pub fn new(bounds: SendingBounds) -> Self {
        let [held, doomed, reserved] = [const { AtomicUsize::new(0) }; 3];
        Self { bounds, held, doomed, reserved, answers: Mutex::default() }
    }

    /// How long a client may take to read this.
    pub fn time_for(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.bounds.rate as f64)
    }

    /// Counts bytes of an answer that is still being put together. They are given back when the value is dropped. Half of the
    /// room is for such answers: nobody could cut them off for the others.
    pub fn reserve(self: &Arc<Self>) -> Reserved {
        Reserved { backlog: self.clone(), bytes: 0 }
    }

    /// Cuts off clients that have fallen too far behind.
    pub async fn watch(self: Arc<Self>) {
        let pause = (self.bounds.behind / LOOKS_PER_TIMEOUT).clamp(PAUSE_MIN, PAUSE_MAX);
        loop {
            tokio::time::sleep(pause).await;
            let now = Instant::now();
            for answer in self.answers() {
                answer.check(now);
            }
        }
    }

    /// Adds the answer that is made with this key. It is known until [`Self::forget`].
    pub(super) fn register<W: Waiting + 'static>(&self, answer: impl FnOnce(usize) -> Arc<W>) -> Arc<W> {
        let mut answers = self.answers.lock();
        let entry = answers.vacant_entry();
        let answer = answer(entry.key());
        let known: Weak<W> = Arc::downgrade(&answer);
        entry.insert(known);
        answer
    }

    pub(super) fn forget(&self, key: usize) {
        self.answers.lock().remove(key);
    }

    /// Counts these bytes as waiting, and makes room if there are too many.
    pub(super) fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        if self.waiting() > self.bounds.bytes {
            self.shed();
        }
    }

    pub(super) fn remove(&self, bytes: usize, is_doomed: bool) {
        if is_doomed {
            self.doomed.fetch_sub(bytes, Ordering::Relaxed);
        }
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn doom(&self, bytes: usize) {
        self.doomed.fetch_add(bytes, Ordering::Relaxed);
    }

    fn waiting(&self) -> usize {
        let held = self.held.load(Ordering::Relaxed) + self.reserved.load(Ordering::Relaxed);
        held.saturating_sub(self.doomed.load(Ordering::Relaxed))
    }

    /// Cuts off the clients that are furthest behind, and among equals those with the most to read. An eighth of the room is
    /// freed at once, so that under attack not every answer looks at all the others.
    fn shed(&self) {
        let now = Instant::now();
        let room = self.bounds.bytes - self.bounds.bytes / 8;
        let answers = self.answers();
        let standing = answers.iter().filter_map(|answer| Some((answer.behind_and_held(now)?, answer)));
        let mut standing: Vec<_> = standing.collect();
        standing.sort_unstable_by_key(|(standing, _)| Reverse(*standing));
        let mut cut = 0;
        for (_, answer) in standing {
            if self.waiting() <= room {
                break;
            }
            answer.cut(now);
            cut += 1;
        }
        if cut > 0 {
            let bytes_max = self.bounds.bytes;
            tracing::warn!(
                "over {bytes_max} bytes waited for clients to read (`http.buffered`): cut off the {cut} slowest"
            );
        }
    }

    /// Without the lock: the last owner of an answer takes it to forget the answer.
    fn answers(&self) -> Vec<Arc<dyn Waiting>> {
        self.answers.lock().iter().filter_map(|(_, answer)| answer.upgrade()).collect()
    }
}

/// Bytes of an answer that is still being put together.
pub struct Reserved {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Reserved {
    /// Counts more of them. Returns whether there is room.
    pub fn add(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let before = self.backlog.reserved.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= self.backlog.bounds.bytes / 2
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.backlog.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
