//! Request bodies, which may be dropped before all of them is read.
//!
//! Dropping the body of an HTTP/2 request resets its stream after the answer. RFC 9113, section 8.1, allows that, but curl up
//! to 8.0 and other clients then report the reset and lose the answer: the 401 or 413 that says why. So the rest of a dropped
//! body is read for a while and discarded.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

/// How much of a dropped body is read, and for how long: enough for the answer to arrive.
const UNREAD_BYTES_MAX: usize = 1 << 20;
const UNREAD_TIME_MAX: Duration = Duration::from_secs(5);

pub(crate) type Request = hyper::Request<RequestBody>;

#[derive(Debug)]
pub struct RequestBody {
    /// `None` once dropped.
    incoming: Option<Incoming>,
    /// Whether it came over HTTP/2. hyper closes a connection of HTTP/1 cleanly.
    is_multiplexed: bool,
}

impl RequestBody {
    pub fn new(incoming: Incoming, is_multiplexed: bool) -> Self {
        Self { incoming: Some(incoming), is_multiplexed }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.is_multiplexed || self.is_end_stream() {
            return;
        }
        let (Some(incoming), Ok(runtime)) = (self.incoming.take(), Handle::try_current()) else { return };
        runtime.spawn(tokio::time::timeout(UNREAD_TIME_MAX, read_and_drop(incoming)));
    }
}

async fn read_and_drop(mut incoming: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = incoming.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > UNREAD_BYTES_MAX {
            break;
        }
    }
}
