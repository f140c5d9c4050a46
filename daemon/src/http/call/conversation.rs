//! A call that answers a request itself: its answer whole, if the guest has written it by the time it first has to wait,
//! or from there on as it is written.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use hyper::http::response::Parts;
use nebula_runtime::HttpError as Error;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::invocation::{Call, Finished};
use nebula_runtime::{Answer, AnswerBody, Ending};

/// How much of an answer is kept back to see whether the call ends with it.
pub const WHOLE_MAX: usize = 64 << 10;

/// How long a call may take to its end when its answer is complete already. Longer than the tick after which it is moved
/// to another thread, and shorter than anybody notices.
const END_MAX: Duration = Duration::from_millis(20);

/// An answer, as far as it has come.
pub struct Written {
    /// Status and headers.
    pub head: Parts,
    /// What of the body has come.
    pub ready: VecDeque<Bytes>,
    /// What of the body is to come.
    pub body: Option<AnswerBody>,
    /// Trailers that have come.
    pub trailers: Option<HeaderMap>,
    /// Why the body broke off, if it did: how a call has ended that otherwise came to its end.
    broken: Option<Ending>,
}

impl Written {
    fn break_off(&mut self, why: Ending) {
        (self.body, self.broken) = (None, Some(why));
    }
}

/// What came of a call.
pub enum Heard {
    /// It has ended; what it answered, if it did, is complete unless it failed.
    Ended(Box<Finished>, Option<Written>),
    /// It goes on writing.
    Writing(Call, Written),
}

/// Runs `call` until it ends or, once its answer has begun, waits or has written more than `whole_max`.
pub async fn hear(call: Call, answer: oneshot::Receiver<Answer>, whole_max: usize) -> Heard {
    let mut conversation = Conversation { call: Some(call), answer: Some(answer), written: None, size: 0, end: None };
    poll_fn(|context| conversation.poll(context, whole_max)).await
}

struct Conversation {
    call: Option<Call>,
    answer: Option<oneshot::Receiver<Answer>>,
    written: Option<Written>,
    size: usize,
    /// When a complete answer has waited for the end of its call for long enough.
    end: Option<Pin<Box<Sleep>>>,
}

impl Conversation {
    fn poll(&mut self, context: &mut Context<'_>, whole_max: usize) -> Poll<Heard> {
        loop {
            let Some(call) = &mut self.call else { return Poll::Pending };
            let ended = Pin::new(call).poll(context);
            self.take_head(context);
            // What has ended has written all it will.
            let most = if ended.is_ready() { usize::MAX } else { whole_max };
            let progress = self.take_body(context, most);
            if let Poll::Ready(mut finished) = ended {
                let broken = self.written.as_mut().and_then(|written| written.broken.take());
                if let Some(broken) = broken.filter(|_| finished.completion.status().is_some()) {
                    finished.completion.ending = broken;
                }
                return Poll::Ready(Heard::Ended(Box::new(finished), self.written.take()));
            }
            if self.written.is_none() {
                return Poll::Pending;
            }
            if progress && self.size < whole_max {
                continue;
            }
            if whole_max == usize::MAX || self.is_broken() || self.is_about_to_end(context) {
                return Poll::Pending;
            }
            return match (self.call.take(), self.written.take()) {
                (Some(call), Some(written)) => Poll::Ready(Heard::Writing(call, written)),
                _ => Poll::Pending,
            };
        }
    }

    /// Whether only the end of the call is missing. An answer whose length was told has no room for the call's energy but
    /// in its head.
    fn is_about_to_end(&mut self, context: &mut Context<'_>) -> bool {
        let complete = |written: &Written| written.body.as_ref().is_none_or(AnswerBody::is_complete);
        let complete = self.written.as_ref().is_some_and(complete);
        complete && self.end.get_or_insert_with(|| Box::pin(sleep(END_MAX))).as_mut().poll(context).is_pending()
    }

    /// Whether the body broke off. Nobody needs the head then, and the guest is about to notice.
    fn is_broken(&self) -> bool {
        self.written.as_ref().is_some_and(|written| written.broken.is_some())
    }

    fn take_head(&mut self, context: &mut Context<'_>) {
        let Some(answer) = &mut self.answer else { return };
        if let Poll::Ready(answer) = Pin::new(answer).poll(context) {
            self.answer = None;
            self.written = answer.ok().map(|answer| {
                let (mut head, body) = answer.into_parts();
                take_ours(&mut head.headers);
                Written { head, ready: VecDeque::new(), body: Some(body), trailers: None, broken: None }
            });
        }
    }

    /// Takes over what has been written, until it is more than `most`; whether there was something.
    fn take_body(&mut self, context: &mut Context<'_>, most: usize) -> bool {
        let Some(written) = &mut self.written else { return false };
        let mut progress = false;
        while self.size < most
            && let Some(body) = &mut written.body
            && let Poll::Ready(frame) = Pin::new(body).poll_frame(context)
        {
            progress = true;
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => {
                        self.size += bytes.len();
                        written.ready.push_back(bytes);
                    }
                    Err(frame) => written.trailers = Some(trailers(frame)),
                },
                Some(Err(Error::HttpResponseBodySize(_))) => written.break_off(Ending::OutputTooLarge),
                Some(Err(_)) => written.break_off(Ending::Refused("an answer without its end".into())),
                None => written.body = None,
            }
        }
        progress
    }
}

/// The trailers that are in a frame.
pub fn trailers(frame: Frame<Bytes>) -> HeaderMap {
    let mut trailers = frame.into_trailers().unwrap_or_default();
    take_ours(&mut trailers);
    trailers
}

/// Takes away what only the daemon says of a call, whether or not it does.
fn take_ours(fields: &mut HeaderMap) {
    let ours: Vec<_> = fields.keys().filter(|name| name.as_str().starts_with("nebula-")).cloned().collect();
    for name in ours {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn a_guest_says_nothing_in_the_daemons_name() {
        let fields = ["nebula-energy-joules", "x-mine", "nebula-invocation-id", "x-nebula-", "server-timing"];
        let field = |name| (HeaderName::from_static(name), HeaderValue::from_static("0"));
        let left = trailers(Frame::trailers(HeaderMap::from_iter(fields.map(field))));
        let mut left: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["server-timing", "x-mine", "x-nebula-"]);
    }
}
