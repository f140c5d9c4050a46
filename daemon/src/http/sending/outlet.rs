//! A connection, as far as answers leave by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::AbortHandle;
use parking_lot::Mutex;

use super::backlog::Backlog;
use super::pace::ReadingPace;

pub struct Outlet {
    pub(super) backlog: Arc<Backlog>,
    pub(super) is_http2: bool,
    /// Ends the connection.
    pub(super) connection: AbortHandle,
    /// How fast the client empties the socket.
    pub(super) pace: Mutex<ReadingPace>,
    /// Answers on their way.
    pub(super) answers: AtomicUsize,
    streams: Mutex<Streams>,
    is_leaving: AtomicBool,
}

struct Streams {
    open: usize,
    /// When the last one was opened or closed.
    changed: Instant,
}

impl Outlet {
    pub fn new(backlog: Arc<Backlog>, is_http2: bool, connection: AbortHandle) -> Self {
        let streams = Mutex::new(Streams { open: 0, changed: Instant::now() });
        Self {
            backlog,
            is_http2,
            connection,
            pace: Mutex::default(),
            answers: AtomicUsize::new(0),
            streams,
            is_leaving: AtomicBool::new(false),
        }
    }

    /// The daemon stops: from now on answers of HTTP/1 say that the connection ends with them.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// How long no stream has been open.
    pub fn idle_for(&self) -> Option<Duration> {
        let streams = self.streams.lock();
        (streams.open == 0).then(|| streams.changed.elapsed())
    }

    pub(super) fn open_stream(self: &Arc<Self>) -> OpenStream {
        self.change_streams(|open| open + 1);
        OpenStream(self.clone())
    }

    fn change_streams(&self, change: impl FnOnce(usize) -> usize) {
        let mut streams = self.streams.lock();
        *streams = Streams { open: change(streams.open), changed: Instant::now() };
    }

    /// How long the client may take to read this. The answers of one connection share its pace.
    pub(super) fn time_for(&self, bytes: usize) -> Duration {
        let answers = self.answers.load(Ordering::Relaxed).max(1);
        self.backlog.time_for(bytes.saturating_mul(answers))
    }
}

pub(super) struct OpenStream(Arc<Outlet>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.change_streams(|open| open - 1);
    }
}
