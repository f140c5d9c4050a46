//! Bodies of answers.

use std::error::Error;

use bytes::Bytes;
use futures_util::stream::iter;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::HeaderMap;
use hyper::body::{Body, Frame};

pub(crate) type Response = hyper::Response<Reply>;

/// The body of an answer: complete, or streamed.
pub type Reply = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BoxError>>;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// A function failed while its answer was being sent. The connection is closed, so that no client mistakes the part for the
/// whole.
#[derive(Debug, thiserror::Error)]
#[error("the function failed while it was answering")]
pub struct BrokenOff;

pub fn whole(data: impl Into<Bytes>) -> Reply {
    Reply::Left(Full::new(data.into()))
}

pub fn streamed(body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static) -> Reply {
    Reply::Right(body.map_err(Into::into).boxed_unsync())
}

/// A body whose length is not announced: `content-length` leaves no room for trailers.
pub fn with_trailers(data: Bytes, trailers: HeaderMap) -> Reply {
    let data = Some(data).filter(|data| !data.is_empty()).map(Frame::data);
    streamed(StreamBody::new(iter(data.into_iter().chain([Frame::trailers(trailers)]).map(Ok::<_, BrokenOff>))))
}
