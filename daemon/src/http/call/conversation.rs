//! Runs a call whose guest writes the HTTP answer itself.
//!
//! The answer is buffered if the guest finishes it before it first has to wait; otherwise it is streamed from there on.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::invocation::{Call, Finished};
use nebula_runtime::{Answer, AnswerBody, Ending, HttpError};

/// Bytes of an answer that are buffered to see whether the call ends with them.
pub const BUFFER_MAX: usize = 64 << 10;

/// How long a complete answer waits for its call to end before it is sent without the call's energy. Longer than the tick
/// after which a call moves to another thread, and too short to notice.
const END_MAX: Duration = Duration::from_millis(20);

/// The answer of a guest as far as it is written.
pub type PartialAnswer = hyper::Response<Written>;

/// What has arrived of the body of an answer.
pub struct Written {
    pub ready: VecDeque<Bytes>,
    pub trailers: Option<HeaderMap>,
    /// Why the body broke off. It becomes the ending of a call that succeeds otherwise.
    pub broken: Option<Ending>,
    /// The rest of the body; `None` once all of it has arrived.
    rest: Option<AnswerBody>,
    /// Bytes that have arrived.
    size: usize,
}

impl Written {
    fn nothing_of(body: AnswerBody) -> Self {
        Self { ready: VecDeque::new(), trailers: None, broken: None, rest: Some(body), size: 0 }
    }

    /// Takes the next part. `true` if there was one, or the body ended.
    pub fn take_part(&mut self, context: &mut Context<'_>) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        let Poll::Ready(frame) = Pin::new(rest).poll_frame(context) else { return false };
        match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(bytes))) => {
                self.size += bytes.len();
                self.ready.push_back(bytes);
            }
            Some(Ok(Err(frame))) => self.trailers.get_or_insert_default().extend(trailers(frame)),
            Some(Err(HttpError::HttpResponseBodySize(_))) => self.break_off(Ending::OutputTooLarge),
            Some(Err(_)) => self.break_off(Ending::Refused("an answer without its end".into())),
            None => self.rest = None,
        }
        true
    }

    /// Waits for the next part, and takes it.
    pub async fn next_part(&mut self) {
        poll_fn(|context| if self.take_part(context) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn break_off(&mut self, why: Ending) {
        (self.rest, self.broken) = (None, Some(why));
    }

    /// Whether all of the body has arrived.
    pub fn has_ended(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether all of it has arrived as the guest meant it. Then the guest has answered, whatever became of it afterwards.
    pub fn is_whole(&self) -> bool {
        self.broken.is_none() && self.is_complete()
    }

    /// Whether nothing more will arrive, although the body may not have said so yet.
    pub fn is_complete(&self) -> bool {
        self.rest.as_ref().is_none_or(AnswerBody::is_complete)
    }
}

pub enum CallState {
    /// The call has ended. Its answer, if it has one, is complete unless the call failed.
    Ended(Box<Finished>, Option<PartialAnswer>),
    /// The call is still writing.
    Writing(Call, PartialAnswer),
}

/// Runs `call` until it ends or, once its answer has begun, until it waits or has written more than `buffer_max` bytes.
pub async fn run_call(call: Call, answer: oneshot::Receiver<Answer>, buffer_max: usize) -> CallState {
    let mut conversation = Conversation { call: Some(call), answer: Some(answer), written: None, end: None };
    poll_fn(|context| conversation.poll(context, buffer_max)).await
}

struct Conversation {
    call: Option<Call>,
    answer: Option<oneshot::Receiver<Answer>>,
    written: Option<PartialAnswer>,
    /// Fires when a complete answer has waited long enough for its call to end.
    end: Option<Pin<Box<Sleep>>>,
}

impl Conversation {
    fn poll(&mut self, context: &mut Context<'_>, buffer_max: usize) -> Poll<CallState> {
        loop {
            let Some(call) = &mut self.call else { return Poll::Pending };
            let ended = Pin::new(call).poll(context);
            self.take_head(context);
            // A call that has ended writes no more, so all of it can be taken.
            let most = if ended.is_ready() { usize::MAX } else { buffer_max };
            let progress = self.take_body(context, most);
            if let Poll::Ready(mut finished) = ended {
                let broken = self.written.as_ref().and_then(|written| written.body().broken.clone());
                if let Some(broken) = broken.filter(|_| finished.completion.status().is_some()) {
                    finished.completion.ending = broken;
                }
                return Poll::Ready(CallState::Ended(Box::new(finished), self.written.take()));
            }
            let Some(written) = self.written.as_ref().map(PartialAnswer::body) else { return Poll::Pending };
            if progress && written.size < buffer_max {
                continue;
            }
            // If the body broke off, the head is useless, and the guest is about to notice.
            let (is_broken, is_complete) = (written.broken.is_some(), written.is_complete());
            if buffer_max == usize::MAX || is_broken || (is_complete && self.is_about_to_end(context)) {
                return Poll::Pending;
            }
            return match (self.call.take(), self.written.take()) {
                (Some(call), Some(written)) => Poll::Ready(CallState::Writing(call, written)),
                _ => Poll::Pending,
            };
        }
    }

    /// Whether the call, whose answer is complete, may end within [`END_MAX`]. Waiting pays: an answer with a
    /// `content-length` can carry the call's energy only in its head.
    fn is_about_to_end(&mut self, context: &mut Context<'_>) -> bool {
        self.end.get_or_insert_with(|| Box::pin(sleep(END_MAX))).as_mut().poll(context).is_pending()
    }

    fn take_head(&mut self, context: &mut Context<'_>) {
        let Some(answer) = &mut self.answer else { return };
        if let Poll::Ready(answer) = Pin::new(answer).poll(context) {
            self.answer = None;
            self.written = answer.ok().map(|answer| answer.map(Written::nothing_of));
            let Some(written) = &mut self.written else { return };
            remove_reserved(written.headers_mut());
            let status = written.status();
            if status.is_informational() {
                // Such a status ends no exchange, and hyper would close the connection.
                let why = format!("the status {}, but an answer has one from 200 up", status.as_u16());
                written.body_mut().break_off(Ending::Refused(why));
            }
        }
    }

    /// Takes what the guest has written, up to about `most` bytes. Returns whether there was anything.
    fn take_body(&mut self, context: &mut Context<'_>, most: usize) -> bool {
        let Some(written) = self.written.as_mut().map(PartialAnswer::body_mut) else { return false };
        let mut progress = false;
        while written.size < most && written.take_part(context) {
            progress = true;
        }
        progress
    }
}

/// The trailers of a frame, without the fields that only the daemon may send.
fn trailers(frame: Frame<Bytes>) -> HeaderMap {
    let mut trailers = frame.into_trailers().unwrap_or_default();
    remove_reserved(&mut trailers);
    trailers
}

/// Removes the fields that only the daemon may send, even where it sends none.
fn remove_reserved(fields: &mut HeaderMap) {
    let reserved: Vec<_> = fields.keys().filter(|name| name.as_str().starts_with("nebula-")).cloned().collect();
    for name in reserved {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn a_guest_cannot_send_fields_of_the_daemon() {
        let fields = ["nebula-energy-joules", "x-mine", "nebula-invocation-id", "x-nebula-", "server-timing"];
        let field = |name| (HeaderName::from_static(name), HeaderValue::from_static("0"));
        let left = trailers(Frame::trailers(HeaderMap::from_iter(fields.map(field))));
        let mut left: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["server-timing", "x-mine", "x-nebula-"]);
    }
}
