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

/// Fails when somebody has waited for the next piece longer than this.
pub fn body(incoming: Incoming, patience: Duration) -> WasiBody {
    Arriving { incoming, patience, alarm: None, waiting: false }.boxed_unsync()
}

struct Arriving {
    incoming: Incoming,
    patience: Duration,
    /// None before somebody had to wait.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether the alarm is set.
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
        let patience = this.patience;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !this.waiting {
            this.waiting = true;
            // What is longer than the clock goes never ends, as at first.
            if let Some(deadline) = Instant::now().checked_add(patience) {
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
