//! The body of an answer that a function is still writing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use nebula_runtime::AnswerBody;

use super::conversation::trailers;
use crate::http::answer::body::BrokenOff;
use crate::invocation::{Call, Finished};

/// The call runs as the body is polled, and so only as fast as the client reads.
pub struct Streamed<E> {
    /// Parts of the body that have arrived.
    pub ready: VecDeque<Bytes>,
    /// `None` once all of it has arrived.
    pub body: Option<AnswerBody>,
    /// Trailers of the function that have arrived.
    pub trailers: Option<HeaderMap>,
    /// `None` once it has ended.
    pub call: Option<Call>,
    /// What happens at the end of the call; returns further trailers.
    pub at_end: E,
}

impl<E> Streamed<E> {
    /// Takes over what the function has written. `true` if there was something, or the body ended.
    fn take_written(&mut self, context: &mut Context<'_>) -> Result<bool, BrokenOff> {
        let Some(body) = &mut self.body else { return Ok(false) };
        match Pin::new(body).poll_frame(context) {
            Poll::Pending => Ok(false),
            Poll::Ready(None) => {
                self.body = None;
                Ok(true)
            }
            Poll::Ready(Some(Err(_))) => Err(BrokenOff),
            Poll::Ready(Some(Ok(frame))) => {
                match frame.into_data() {
                    Ok(bytes) => self.ready.push_back(bytes),
                    Err(frame) => self.trailers.get_or_insert_default().extend(trailers(frame)),
                }
                Ok(true)
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.body.as_ref().is_none_or(AnswerBody::is_complete)
    }
}

impl<E: Fn(&Finished) -> HeaderMap + Unpin> Body for Streamed<E> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
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
            let has_progress = match self.take_written(context) {
                Ok(has_progress) => has_progress,
                Err(BrokenOff) => {
                    // The function is about to notice, and ends as it sees fit.
                    self.body = None;
                    drop(self.call.take().map(tokio::spawn));
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
            };
            if let Some(finished) = finished {
                if finished.completion.status().is_none() {
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                let more = (self.at_end)(&finished);
                self.trailers.get_or_insert_default().extend(more);
                continue;
            }
            if has_progress {
                continue;
            }
            if self.body.is_none() && self.call.is_none() {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            return Poll::Pending;
        }
    }
}

impl<E> Drop for Streamed<E> {
    fn drop(&mut self) {
        // hyper reads no further than `content-length`; the function may be about to end.
        if let Some(call) = self.call.take().filter(|_| self.ready.is_empty() && self.is_complete()) {
            tokio::spawn(call);
        }
    }
}
