//! A request body that asks before it is sent: a daemon that does not want it can say why, and the answer arrives.
//!
//! A server that refuses a body answers and closes the connection while the client is still sending. What arrives then
//! resets the connection, and the answer is lost. With `Expect: 100-continue` the body waits until the server wants it.
//! That is why this client is built on hyper: reqwest does not pass informational answers on.
//!
//! Source: RFC 9110, section 10.1.1.

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

/// Bodies of this size or more ask first. Smaller ones fit into the buffers of a connection. Source: curl asks from 1 MiB
/// on.
const ASK_BYTES_MIN: usize = 64 << 10;

/// How long to wait for a server that does not answer the question. Source: curl waits as long.
const GO_AHEAD_TIME_MAX: Duration = Duration::from_secs(1);

/// How much of a body is sent at once; progress is reported as often.
const PIECE_BYTES: usize = 64 << 10;

/// Called with the number of bytes sent so far.
pub type Sent = Arc<dyn Fn(u64) + Send + Sync>;

/// A body of known length, which may wait for the server's go-ahead.
pub struct UploadBody {
    bytes: Option<Bytes>,
    gone: u64,
    sent: Option<Sent>,
    go_ahead: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Makes `bytes` the body of a request, and reports progress to `sent`.
pub fn attach(request: Request<()>, bytes: Bytes, sent: Option<Sent>) -> Request<UploadBody> {
    let asks = bytes.len() >= ASK_BYTES_MIN;
    let bytes = (!bytes.is_empty()).then_some(bytes);
    if !asks {
        return request.map(|()| UploadBody { bytes, gone: 0, sent, go_ahead: None });
    }
    let wanted = Arc::new(Notify::new());
    let notify = wanted.clone();
    let go_ahead = Box::pin(async move { drop(tokio::time::timeout(GO_AHEAD_TIME_MAX, wanted.notified()).await) });
    let mut request = request.map(|()| UploadBody { bytes, gone: 0, sent, go_ahead: Some(go_ahead) });
    request.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
    on_informational(&mut request, move |_| notify.notify_one());
    request
}

impl Body for UploadBody {
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
