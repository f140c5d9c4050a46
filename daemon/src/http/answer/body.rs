//! Bodies of answers: whole ones, and those that a guest is still writing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

use crate::functions::Function;
use crate::http::call::conversation::trailers;
use crate::http::read::events::EventStream;
use crate::http::record::Outgoing;
use crate::invocation::{Call, Finished};
use nebula_runtime::AnswerBody;

/// Turns the end of a call into trailers of its answer.
pub type Trailing = Box<dyn Fn(&Function, &Finished) -> HeaderMap + Send + Sync>;

/// The body of an answer.
pub enum Reply {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// All of it is there, and there are trailers.
    Ended(VecDeque<Bytes>, Option<HeaderMap>),
    /// A guest is writing it.
    Streamed(Box<Streamed>),
    /// It goes on for as long as something happens.
    Events(Box<EventStream>),
    /// Any of these, whose end somebody wants to know.
    Watched(Box<Outgoing>),
}

/// A body that a guest is writing. The call runs as the body is asked for, and as fast as the client takes it.
pub struct Streamed {
    /// What has come already.
    pub ready: VecDeque<Bytes>,
    /// What comes; `None` when all has come.
    pub body: Option<AnswerBody>,
    /// The guest's own trailers, as far as they have come.
    pub trailers: Option<HeaderMap>,
    /// The call, while it runs.
    pub call: Option<Call>,
    /// What it calls.
    pub function: Arc<Function>,
    /// What is said at its end.
    pub trailing: Trailing,
}

/// A guest failed while its answer was on the way: the connection is cut, so that nobody takes the part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the function failed while it was answering")]
pub struct BrokenOff;

impl From<Infallible> for BrokenOff {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(Into::into),
            Self::Ended(ready, trailers) => {
                let data = ready.pop_front().map(Frame::data);
                Poll::Ready(data.or_else(|| trailers.take().map(Frame::trailers)).map(Ok))
            }
            Self::Streamed(streamed) => streamed.poll_frame(context),
            Self::Events(events) => events.poll_frame(context).map(|frame| frame.map(Ok)),
            Self::Watched(outgoing) => outgoing.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Ended(ready, trailers) => ready.is_empty() && trailers.is_none(),
            Self::Streamed(_) | Self::Events(_) => false,
            Self::Watched(outgoing) => outgoing.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Ended(..) | Self::Streamed(_) | Self::Events(_) => SizeHint::default(),
            Self::Watched(outgoing) => outgoing.size_hint(),
        }
    }
}

impl Streamed {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
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
            // What ended without the end of its body is broken off too.
            let written = match self.take_written(context) {
                Ok(written) => written,
                Err(BrokenOff) => {
                    // The guest is about to notice, and ends as it sees fit.
                    self.body = None;
                    drop(self.call.take().map(tokio::spawn));
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
            };
            if let Some(finished) = finished {
                if finished.completion.status().is_none() {
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                self.trailers.get_or_insert_default().extend((self.trailing)(&self.function, &finished));
                continue;
            }
            match written {
                true => {}
                false if self.body.is_none() && self.call.is_none() => {
                    return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
                }
                false => return Poll::Pending,
            }
        }
    }

    /// Takes over what the guest has written; whether there was something.
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
}

impl Drop for Streamed {
    fn drop(&mut self) {
        // Of an answer whose length was told nobody asks for more than that; the guest may be about to end.
        if let Some(call) = self.call.take().filter(|_| self.ready.is_empty() && self.is_complete()) {
            tokio::spawn(call);
        }
    }
}

impl Streamed {
    fn is_complete(&self) -> bool {
        self.body.as_ref().is_none_or(AnswerBody::is_complete)
    }
}
