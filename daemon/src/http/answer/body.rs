//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

pub(crate) type Response = hyper::Response<Reply>;

pub enum Reply {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// All of it is there, and trailers follow.
    WithTrailers(Option<Bytes>, Option<HeaderMap>),
    /// It comes bit by bit.
    Streamed(UnsyncBoxBody<Bytes, BrokenOff>),
}

/// A function failed while its answer was on the way. The connection is cut, so that nobody takes the part for the whole.
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

impl Reply {
    pub fn whole(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        match trailers {
            Some(trailers) => Self::WithTrailers(Some(data).filter(|data| !data.is_empty()), Some(trailers)),
            None => data.into(),
        }
    }

    pub fn streamed(body: impl Body<Data = Bytes, Error = BrokenOff> + Send + 'static) -> Self {
        Self::Streamed(body.boxed_unsync())
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
            Self::WithTrailers(data, trailers) => {
                let data = data.take().map(Frame::data);
                Poll::Ready(data.or_else(|| trailers.take().map(Frame::trailers)).map(Ok))
            }
            Self::Streamed(streamed) => Pin::new(streamed).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::WithTrailers(data, trailers) => data.is_none() && trailers.is_none(),
            Self::Streamed(streamed) => streamed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            // A length would become `content-length`, which leaves no room for trailers.
            Self::WithTrailers(..) => SizeHint::default(),
            Self::Streamed(streamed) => streamed.size_hint(),
        }
    }
}
