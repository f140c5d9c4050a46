//! A request's body that asks before it goes: a daemon that wants none of it can say so, and be heard.
//!
//! A server that refuses a body as too large answers and closes the connection while the client is still sending, and
//! what was sent in vain resets the connection and takes the answer with it. With `Expect: 100-continue` the body
//! stays here until the server wants it. Source: RFC 9110, section 10.1.1.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, SizeHint};
use hyper::ext::on_informational;
use hyper::header::{EXPECT, HeaderValue};
use tokio::sync::Notify;

/// From here on a body asks first. What is smaller fits into the buffers of a connection, and is not worth the time of
/// asking. Source: curl asks from 1 MiB on.
const ASK_BYTES_MIN: usize = 64 << 10;

/// A server that does not know the question says nothing. Source: curl waits as long.
const GO_AHEAD_TIME_MAX: Duration = Duration::from_secs(1);

/// How much of a body goes at once: as often one is told how far it has come.
const PIECE_BYTES: usize = 64 << 10;

/// Hears how many bytes of a body have gone.
pub type Sent = Arc<dyn Fn(u64) + Send + Sync>;

/// A body of known length, perhaps held back.
pub struct Upload {
    bytes: Option<Bytes>,
    gone: u64,
    sent: Option<Sent>,
    go_ahead: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Makes `bytes` the body of a request, which asks first if they are many, and tells `sent` how far it has come.
pub fn attach(request: Request<()>, bytes: Bytes, sent: Option<Sent>) -> Request<Upload> {
    let asks = bytes.len() >= ASK_BYTES_MIN;
    let bytes = (!bytes.is_empty()).then_some(bytes);
    if !asks {
        return request.map(|()| Upload { bytes, gone: 0, sent, go_ahead: None });
    }
    let told = Arc::new(Notify::new());
    let tell = told.clone();
    let go_ahead = Box::pin(async move { drop(tokio::time::timeout(GO_AHEAD_TIME_MAX, told.notified()).await) });
    let mut request = request.map(|()| Upload { bytes, gone: 0, sent, go_ahead: Some(go_ahead) });
    request.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
    on_informational(&mut request, move |_| tell.notify_one());
    request
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(go_ahead) = &mut self.go_ahead {
            ready!(go_ahead.as_mut().poll(context));
            self.go_ahead = None;
        }
        let Some(mut rest) = self.bytes.take() else { return Poll::Ready(None) };
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        self.bytes = (!rest.is_empty()).then_some(rest);
        self.gone += piece.len() as u64;
        if let Some(sent) = &self.sent {
            sent(self.gone);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
