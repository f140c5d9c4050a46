//! An answer on its way to its client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::AbortHandle;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use thiserror::Error;

use super::backlog::Waiting;
use super::outlet::Outlet;
use super::pace::ReadingPace;
use super::streams;
use crate::http::Response;
use crate::http::answer::body::{BoxError, Reply};

/// The largest piece that a stream of HTTP/2 hands out at once: the largest frame that every client takes. A stream's progress
/// shows by the pieces that are asked for.
///
/// Source: RFC 9113, section 4.2.
const PIECE_MAX: usize = 16 << 10;

/// Answers up to this size are not tracked one by one over HTTP/1, where a connection holds one of them at a time.
const SMALL: u64 = 16 << 10;

impl Outlet {
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
}

pub struct Outgoing {
    outlet: Arc<Outlet>,
    key: usize,
    /// Ends its stream, if the connection has others.
    stream: Option<AbortHandle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How fast the client reads this stream.
    pace: ReadingPace,
    /// Bytes that wait in memory, wherever they are.
    held: usize,
    /// Bytes that were handed out last.
    handed: usize,
    /// Whether all of it has been handed out.
    is_handed_out: bool,
    cut: Option<Instant>,
}

impl Outgoing {
    pub(super) fn new(outlet: Arc<Outlet>, key: usize, stream: Option<AbortHandle>) -> Self {
        outlet.answers.fetch_add(1, Ordering::Relaxed);
        Self { outlet, key, stream, state: Mutex::default() }
    }

    /// Counts these bytes as waiting until the last of them is dropped.
    fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        {
            let mut state = self.state.lock();
            state.held += bytes.len();
            if state.cut.is_some() {
                self.outlet.backlog.doom(bytes.len());
            }
        }
        self.outlet.backlog.add(bytes.len());
        Bytes::from_owner(Held { bytes, outgoing: self.clone() })
    }

    fn release(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.held -= bytes;
        self.outlet.backlog.remove(bytes, state.cut.is_some());
    }

    /// hyper asks for more, so what it had before has been taken.
    fn asked(&self) {
        let mut state = self.state.lock();
        let earned = self.outlet.time_for(std::mem::take(&mut state.handed));
        state.pace.earn(Instant::now(), earned);
    }

    fn handed(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.handed = bytes;
        state.pace.start(Instant::now());
    }

    /// Nothing waits for the client; the function has not written more.
    fn paused(&self) {
        self.state.lock().pace.pause(Instant::now());
    }

    fn behind(&self, state: &State, now: Instant) -> Duration {
        if self.outlet.is_http2 { state.pace.behind(now) } else { self.outlet.pace.lock().behind(now) }
    }
}

impl Waiting for Outgoing {
    fn behind_and_held(&self, now: Instant) -> Option<(Duration, usize)> {
        let state = self.state.lock();
        (state.held > 0 && state.cut.is_none()).then(|| (self.behind(&state, now), state.held))
    }

    fn check(&self, now: Instant) {
        let behind_max = self.outlet.backlog.bounds.behind;
        let (behind, cut) = {
            let state = self.state.lock();
            (self.behind(&state, now), state.cut)
        };
        match cut {
            // What the reset should have freed is still there.
            Some(cut) if now.saturating_duration_since(cut) > behind_max => self.outlet.connection.abort(),
            None if self.outlet.is_http2 && behind > behind_max => {
                tracing::debug!("an answer was cut off: its client is {behind:?} behind (`http.write-timeout`)");
                self.cut(now);
            }
            _ => {}
        }
    }

    /// Resets the stream, or closes the connection where a reset would free nothing.
    fn cut(&self, now: Instant) {
        let mut state = self.state.lock();
        if state.cut.replace(now).is_none() {
            self.outlet.backlog.doom(state.held);
        }
        match &self.stream {
            Some(stream) if !state.is_handed_out && !self.outlet.pace.lock().is_waiting() => stream.abort(),
            _ => self.outlet.connection.abort(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.outlet.answers.fetch_sub(1, Ordering::Relaxed);
        self.outlet.backlog.forget(self.key);
    }
}

struct Held {
    bytes: Bytes,
    outgoing: Arc<Outgoing>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outgoing.release(self.bytes.len());
    }
}

/// The body of an answer, whose bytes are counted while they wait.
pub struct OutgoingBody {
    reply: Reply,
    /// What has been taken from it and not yet been handed out.
    rest: Bytes,
    /// `None` if it is too small to be counted.
    outgoing: Option<Arc<Outgoing>>,
}

/// An answer broke off. A type of its own, because the compiler cannot prove of `BoxError` that it is itself as one.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct BrokenAnswer(BoxError);

impl OutgoingBody {
    pub(super) fn uncounted(reply: Reply) -> Self {
        Self { reply, rest: Bytes::new(), outgoing: None }
    }

    pub(super) fn counted(mut reply: Reply, outgoing: Arc<Outgoing>) -> Self {
        let mut rest = Bytes::new();
        if let Reply::Left(full) = &mut reply
            && let Some(Some(Ok(frame))) = full.frame().now_or_never()
        {
            rest = outgoing.hold(frame.into_data().unwrap_or_default());
        }
        Self { reply, rest, outgoing: Some(outgoing) }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        let Self { reply, rest, outgoing } = &mut *self;
        let Some(outgoing) = outgoing else {
            return Pin::new(reply).poll_frame(context).map_err(BrokenAnswer);
        };
        outgoing.asked();
        if rest.is_empty() {
            let polled = Pin::new(reply).poll_frame(context);
            if polled.is_pending() {
                outgoing.paused();
            }
            match ready!(polled).transpose().map_err(BrokenAnswer)?.map(Frame::into_data) {
                Some(Ok(bytes)) => *rest = outgoing.hold(bytes),
                Some(Err(trailers)) => {
                    outgoing.handed(0);
                    return Poll::Ready(Some(Ok(trailers)));
                }
                None => return Poll::Ready(None),
            }
        }
        let most = if outgoing.outlet.is_http2 { PIECE_MAX } else { usize::MAX };
        let piece = rest.split_to(rest.len().min(most));
        outgoing.handed(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.reply.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.state.lock().is_handed_out = true;
        }
    }
}
