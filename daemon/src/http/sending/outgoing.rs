//! An answer on its way to its client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use parking_lot::Mutex;
use thiserror::Error;

use super::backlog::Waiting;
use super::outlet::Outlet;
use super::pace::ReadingPace;
use super::streams::{self, Exit};
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
    pub fn send(self: &Arc<Self>, mut response: Response) -> hyper::Response<OutgoingBody> {
        if self.is_leaving() && !self.is_http2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(outgoing) = response.extensions_mut().remove() {
            return response.map(|reply| OutgoingBody::counted(reply, outgoing));
        }
        let is_small = |reply: &Reply| matches!(reply, Reply::Left(full) if full.size_hint().lower() <= SMALL);
        if !self.is_http2 && is_small(response.body()) {
            return response.map(OutgoingBody::uncounted);
        }
        let exit = streams::current().unwrap_or_else(|| Exit { outlet: self.clone(), stream: None });
        response.map(|reply| OutgoingBody::new(reply, Outgoing::begin(exit)))
    }
}

/// An answer on its way to its client. An answer that counts its bytes itself carries it as an extension.
pub struct Outgoing {
    exit: Exit,
    key: usize,
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

impl State {
    /// A client that has everything is not waited for any more, though its call may still run.
    fn rest_if_done(&mut self) {
        if self.is_handed_out && self.held == 0 {
            self.pace.pause(Instant::now());
        }
    }
}

impl Outgoing {
    fn begin(exit: Exit) -> Arc<Self> {
        exit.outlet.answers.fetch_add(1, Ordering::Relaxed);
        let backlog = exit.outlet.backlog.clone();
        backlog.register(|key| Arc::new(Self { exit, key, state: Mutex::default() }))
    }

    /// The answer that the current task is about to give.
    pub fn here() -> Option<Arc<Self>> {
        streams::current().map(Self::begin)
    }

    /// Counts these bytes as waiting until the last of them is dropped.
    pub fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        {
            let mut state = self.state.lock();
            state.held += bytes.len();
            if state.cut.is_some() {
                self.exit.outlet.backlog.doom(bytes.len());
            }
        }
        self.exit.outlet.backlog.add(bytes.len());
        Bytes::from_owner(Held { bytes, outgoing: self.clone() })
    }

    fn release(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.held -= bytes;
        state.rest_if_done();
        self.exit.outlet.backlog.remove(bytes, state.cut.is_some());
    }

    /// hyper asks for more, so what it had before has been taken.
    fn asked(&self) {
        let mut state = self.state.lock();
        let earned = self.exit.outlet.time_for(std::mem::take(&mut state.handed));
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
        if self.exit.outlet.is_http2 { state.pace.behind(now) } else { self.exit.outlet.pace.lock().behind(now) }
    }
}

impl Waiting for Outgoing {
    fn behind_and_held(&self, now: Instant) -> Option<(Duration, usize)> {
        let state = self.state.lock();
        (state.held > 0 && state.cut.is_none()).then(|| (self.behind(&state, now), state.held))
    }

    fn check(&self, now: Instant) {
        let behind_max = self.exit.outlet.backlog.bounds.behind;
        let (behind, cut) = {
            let state = self.state.lock();
            (self.behind(&state, now), state.cut)
        };
        match cut {
            // What the reset should have freed is still there.
            Some(cut) if now.saturating_duration_since(cut) > behind_max => self.exit.outlet.connection.abort(),
            None if self.exit.outlet.is_http2 && behind > behind_max => {
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
            self.exit.outlet.backlog.doom(state.held);
        }
        match &self.exit.stream {
            Some(stream) if !state.is_handed_out && !self.exit.outlet.pace.lock().is_waiting() => stream.abort(),
            _ => self.exit.outlet.connection.abort(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.exit.outlet.answers.fetch_sub(1, Ordering::Relaxed);
        self.exit.outlet.backlog.forget(self.key);
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
    /// Whether the reply counts its bytes itself.
    is_counted: bool,
}

/// An answer broke off. A type of its own, because the compiler cannot prove of `BoxError` that it is itself as one.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct BrokenAnswer(BoxError);

impl OutgoingBody {
    fn uncounted(reply: Reply) -> Self {
        Self { reply, rest: Bytes::new(), outgoing: None, is_counted: false }
    }

    fn counted(reply: Reply, outgoing: Arc<Outgoing>) -> Self {
        Self { reply, rest: Bytes::new(), outgoing: Some(outgoing), is_counted: true }
    }

    fn new(mut reply: Reply, outgoing: Arc<Outgoing>) -> Self {
        let mut rest = Bytes::new();
        if let Reply::Left(full) = &mut reply
            && let Some(Some(Ok(frame))) = full.frame().now_or_never()
        {
            rest = outgoing.hold(frame.into_data().unwrap_or_default());
        }
        Self { reply, rest, outgoing: Some(outgoing), is_counted: false }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        let Self { reply, rest, outgoing, is_counted } = &mut *self;
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
                Some(Ok(bytes)) => *rest = if *is_counted { bytes } else { outgoing.hold(bytes) },
                Some(Err(trailers)) => {
                    outgoing.handed(0);
                    return Poll::Ready(Some(Ok(trailers)));
                }
                None => return Poll::Ready(None),
            }
        }
        let most = if outgoing.exit.outlet.is_http2 { PIECE_MAX } else { usize::MAX };
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
            let mut state = outgoing.state.lock();
            state.is_handed_out = true;
            state.rest_if_done();
        }
    }
}
