//! The body of a response, as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::failure;

/// Fails if the guest has waited for the next piece for longer than `timeout`.
pub fn body(incoming: Incoming, timeout: Duration) -> WasiBody {
    Arriving { incoming, timeout, alarm: None, waiting: false }.boxed_unsync()
}

struct Arriving {
    incoming: Incoming,
    timeout: Duration,
    /// `None` until the guest has to wait.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(piece) = Pin::new(&mut this.incoming).poll_frame(context) {
            this.waiting = false;
            return Poll::Ready(piece.map(|piece| piece.map_err(|error| failure::of_exchanging(&error))));
        }
        let timeout = this.timeout;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !this.waiting {
            this.waiting = true;
            // A timeout beyond the range of the clock never ends, as it was set at first.
            if let Some(deadline) = Instant::now().checked_add(timeout) {
                alarm.as_mut().reset(deadline);
            }
        }
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
