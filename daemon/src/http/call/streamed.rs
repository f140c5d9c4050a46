//! The body of an answer that a function is still writing.
//!
//! The call runs in a task of its own, so its limits hold whether or not the client reads. The task takes no more from the
//! guest than the client reads: a slow client slows its guest down.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::conversation::Written;
use crate::http::answer::body::BrokenOff;
use crate::http::sending::outgoing::Outgoing;
use crate::invocation::{Call, Finished};

/// Pieces that are taken from the guest before the client has asked for them.
const PIECES_MAX: usize = 1;

/// What a client receives of an answer that is still being written. Dropping it cancels the call, unless the guest has written
/// all of its answer: hyper reads no further than `content-length`, and nothing after HEAD.
pub struct Streamed {
    /// What was written before streaming began.
    ready: VecDeque<Bytes>,
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
    /// Whether the call has failed and what was sent before goes out first.
    failing: bool,
}

enum Piece {
    Data(Bytes),
    /// The call has ended well, and these are the trailers.
    End(HeaderMap),
}

impl Streamed {
    /// Runs `call` to its end. What it writes is counted as bytes of `outgoing`. `at_end` gets what has become of the call, and
    /// returns further trailers.
    pub fn start(
        call: Call,
        mut written: Written,
        outgoing: Option<Arc<Outgoing>>,
        at_end: impl FnOnce(&Finished) -> HeaderMap + Send + 'static,
    ) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let sender = Pieces { sender, outgoing };
        let ready = written.ready.drain(..).map(|bytes| sender.count(bytes)).collect();
        tokio::spawn(run(call, written, at_end, sender));
        Self { ready, pieces, ended: false, failing: false }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(context));
        if piece.is_none() && !std::mem::replace(&mut self.failing, true) {
            // A connection that fails now would take the head with it, and the client would see an empty reply.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ended = !matches!(piece, Some(Piece::Data(_)));
        Poll::Ready(Some(match piece {
            Some(Piece::Data(bytes)) => Ok(Frame::data(bytes)),
            Some(Piece::End(trailers)) => Ok(Frame::trailers(trailers)),
            None => Err(BrokenOff),
        }))
    }
}

/// Runs the call and passes on what it writes. If it fails, `pieces` is closed without an end.
async fn run(mut call: Call, mut written: Written, at_end: impl FnOnce(&Finished) -> HeaderMap, pieces: Pieces) {
    let finished = loop {
        tokio::select! {
            biased;
            finished = &mut call => break finished,
            is_read = pass_on(&mut written, &pieces) => {
                if is_read && written.broken.is_none() && !written.has_ended() {
                    continue;
                }
                if !is_read && !written.is_complete() {
                    // Nobody will read the rest, so the call is cancelled.
                    return;
                }
                // The guest has nothing more to write. It ends as it sees fit.
                if written.broken.is_some() {
                    drop(pieces);
                    at_end(&call.await);
                    return;
                }
                break call.await;
            }
        }
    };
    let more = at_end(&finished);
    if finished.completion.answered.is_none() {
        return;
    }
    // Nothing more is written, so all that is left is counted at once.
    while written.broken.is_none() && !written.has_ended() {
        tokio::select! {
            biased;
            () = written.next_part() => {}
            () = pieces.sender.closed() => return,
        }
    }
    let rest: Vec<_> = written.ready.drain(..).map(|bytes| pieces.count(bytes)).collect();
    let mut trailers = written.trailers.take().unwrap_or_default();
    trailers.extend(more);
    let end = Some(Piece::End(trailers)).filter(|_| written.broken.is_none());
    for piece in rest.into_iter().map(Piece::Data).chain(end) {
        if pieces.sender.send(piece).await.is_err() {
            return;
        }
    }
}

/// Takes the next part of the answer once the client has room for it. Returns `false` if the client has gone.
async fn pass_on(written: &mut Written, pieces: &Pieces) -> bool {
    let Ok(room) = pieces.sender.reserve().await else { return false };
    tokio::select! {
        biased;
        () = written.next_part() => {}
        () = pieces.sender.closed() => return false,
    }
    if let Some(bytes) = written.ready.pop_front() {
        room.send(Piece::Data(pieces.count(bytes)));
    }
    true
}

/// The way of an answer's pieces to its body.
struct Pieces {
    sender: mpsc::Sender<Piece>,
    outgoing: Option<Arc<Outgoing>>,
}

impl Pieces {
    fn count(&self, bytes: Bytes) -> Bytes {
        match &self.outgoing {
            Some(outgoing) => outgoing.hold(bytes),
            None => bytes,
        }
    }
}
