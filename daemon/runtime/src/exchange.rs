//! An HTTP request for a guest, and its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::CONTENT_LENGTH;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};

use super::capture::Recorder;

/// An HTTP request for a guest, and where the answer goes.
#[derive(Debug)]
pub struct Exchange {
    /// The request.
    pub request: hyper::Request<WasiBody>,
    /// Gets the head of the answer as soon as the guest sends it, with a body that is still being written.
    pub answer: oneshot::Sender<Answer>,
}

/// The HTTP answer of a guest.
pub type Answer = hyper::Response<AnswerBody>;

/// The body of an answer. It ends with an error if it exceeds the limit of the output.
#[derive(Debug)]
pub struct AnswerBody {
    body: WasiBody,
    room: usize,
    ended: bool,
    /// What is missing to `content-length`, if the answer has one.
    left: Option<u64>,
    recorder: Arc<Recorder>,
}

impl AnswerBody {
    /// Whether all of it has been read.
    pub fn is_complete(&self) -> bool {
        self.ended || self.left == Some(0)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // The body of a guest that is gone ends as if the guest had finished it.
        if frame.is_none() && !self.is_complete() && self.recorder.has_abandoned_answer() {
            return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
        }
        self.ended |= frame.is_none();
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            match self.room.checked_sub(data.len()) {
                Some(room) => {
                    self.room = room;
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                }
                None => {
                    self.recorder.overflow();
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(None))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Marks the answer as abandoned when it is dropped, unless the guest came to its end.
pub struct Unfinished<'a>(Option<&'a Recorder>);

impl<'a> Unfinished<'a> {
    /// Is to be dropped before the instance that writes the answer.
    pub fn new(recorder: &'a Recorder) -> Self {
        Self(Some(recorder))
    }

    /// The guest has finished its answer.
    pub fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(recorder) = self.0 {
            recorder.abandon_answer();
        }
    }
}

/// Sends a guest's answer to its caller, and records its status.
pub fn send_answer(
    answer: oneshot::Sender<Answer>,
    recorder: &Arc<Recorder>,
    body_max: usize,
    given: Result<hyper::Response<WasiBody>, String>,
) {
    match given {
        Ok(response) => {
            recorder.answer(Ok(response.status().as_u16()));
            let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            let body =
                |body| AnswerBody { body, room: body_max, ended: false, left: length, recorder: recorder.clone() };
            // Nobody may be waiting any more.
            let _ = answer.send(response.map(body));
        }
        Err(why) => recorder.answer(Err(why)),
    }
}
