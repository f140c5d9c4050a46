//! The body of an answer that a function is still writing.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};

use super::conversation::Written;
use crate::http::answer::body::BrokenOff;
use crate::invocation::{Call, Finished};

/// The call runs as the body is polled, and so only as fast as the client reads.
pub struct Streamed<E> {
    pub written: Written,
    /// `None` once it has ended.
    pub call: Option<Call>,
    /// What happens at the end of the call; returns further trailers.
    pub at_end: E,
}

impl<E: Fn(&Finished) -> HeaderMap + Unpin> Body for Streamed<E> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(bytes) = self.written.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let mut finished = None;
            if let Some(call) = &mut self.call
                && let Poll::Ready(end) = Pin::new(call).poll(context)
            {
                self.call = None;
                finished = Some(end);
            }
            // Also broken off is a body that does not end although its call does.
            let has_progress = self.written.take_part(context);
            if self.written.broken.take().is_some() {
                // The function is about to notice, and ends as it sees fit.
                drop(self.call.take().map(tokio::spawn));
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            if let Some(finished) = finished {
                if finished.completion.status().is_none() {
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                let more = (self.at_end)(&finished);
                self.written.trailers.get_or_insert_default().extend(more);
                continue;
            }
            if has_progress {
                continue;
            }
            if self.written.has_ended() && self.call.is_none() {
                return Poll::Ready(self.written.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            return Poll::Pending;
        }
    }
}

impl<E> Drop for Streamed<E> {
    fn drop(&mut self) {
        // hyper reads no further than `content-length`; the function may be about to end.
        if let Some(call) = self.call.take().filter(|_| self.written.ready.is_empty() && self.written.is_complete()) {
            tokio::spawn(call);
        }
    }
}
