//! The body of a request, of which somebody may not want to read all.
//!
//! Over HTTP/2 a stream whose body is let go of is reset behind its answer. That is allowed (RFC 9113, section 8.1), but
//! clients such as curl up to 8.0 then report the reset and lose the answer: the 401 or 413 that says why. So what is left is
//! read for a while and dropped.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

/// What is read of an unwanted body, and for how long: enough for an answer to arrive and to be understood.
const UNREAD_BYTES_MAX: usize = 1 << 20;
const UNREAD_TIME_MAX: Duration = Duration::from_secs(5);

pub(crate) type Request = hyper::Request<RequestBody>;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    /// Taken when it is let go of.
    incoming: Option<Incoming>,
    is_multiplexed: bool,
}

impl RequestBody {
    /// The body of a request that has a connection to itself: hyper closes that one in good order.
    pub fn alone(incoming: Incoming) -> Self {
        Self { incoming: Some(incoming), is_multiplexed: false }
    }

    /// The body of a request over HTTP/2.
    pub fn multiplexed(incoming: Incoming) -> Self {
        Self { incoming: Some(incoming), is_multiplexed: true }
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
