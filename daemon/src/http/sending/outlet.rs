//! A connection, as far as answers leave by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::AbortHandle;
use hyper::body::Body as _;
use parking_lot::Mutex;

use super::backlog::Backlog;
use super::outgoing::{Outgoing, OutgoingBody};
use super::pace::Pace;
use super::streams;
use crate::http::Response;
use crate::http::answer::body::Reply;

/// Answers up to this size are not tracked one by one over HTTP/1, where a connection holds one of them at a time.
const SMALL: u64 = 16 << 10;

pub struct Outlet {
    pub(super) backlog: Arc<Backlog>,
    pub(super) is_http2: bool,
    /// Ends the connection.
    pub(super) connection: AbortHandle,
    /// How fast the client empties the socket.
    pub(super) pace: Mutex<Pace>,
    /// Answers on their way.
    pub(super) answers: AtomicUsize,
    streams: Mutex<Streams>,
}

struct Streams {
    open: usize,
    /// When the last one was opened or closed.
    changed: Instant,
}

impl Outlet {
    pub fn new(backlog: Arc<Backlog>, is_http2: bool, connection: AbortHandle) -> Self {
        let streams = Mutex::new(Streams { open: 0, changed: Instant::now() });
        Self { backlog, is_http2, connection, pace: Mutex::default(), answers: AtomicUsize::new(0), streams }
    }

    /// Tracks an answer until its last byte has left.
    pub fn send(self: &Arc<Self>, response: Response) -> hyper::Response<OutgoingBody> {
        let is_small = |reply: &Reply| matches!(reply, Reply::Left(full) if full.size_hint().lower() <= SMALL);
        if !self.is_http2 && is_small(response.body()) {
            return response.map(OutgoingBody::uncounted);
        }
        let stream = if self.is_http2 { streams::current() } else { None };
        let outgoing = self.backlog.register(|key| Arc::new(Outgoing::new(self.clone(), key, stream)));
        response.map(|reply| OutgoingBody::counted(reply, outgoing))
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
