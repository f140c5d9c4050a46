//! Reads request bodies within their limits.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use http_body_util::{BodyExt, BodyStream, LengthLimitError, Limited, StreamBody};
use hyper::body::Body;
use multer::Multipart;

use crate::http::answer::problem::Problem;
use crate::http::request::incoming::RequestBody;

/// Polls `body` once, so that a client that sent `Expect: 100-continue` gets `100 Continue` before any answer. Otherwise it
/// could wait another second for it.
pub async fn started(mut body: RequestBody) -> impl Body<Data = Bytes, Error = hyper::Error> {
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut body).poll_frame(context))).await;
    // hyper writes `100 Continue` between two polls of this task.
    tokio::task::yield_now().await;
    let first = if let Poll::Ready(first) = first { first } else { None };
    StreamBody::new(iter(first).chain(BodyStream::new(body)))
}

/// The parts of a multipart form: names and contents.
pub async fn parts(form: Bytes, boundary: &str) -> Result<Vec<(Option<String>, Bytes)>, Problem> {
    let broken = |error: multer::Error| Problem::BadRequest(format!("the form cannot be read: {error}"));
    let mut form = Multipart::new(iter([Ok::<_, Infallible>(form)]), boundary);
    let mut parts = Vec::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        parts.push((part.name().map(str::to_owned), part.bytes().await.map_err(broken)?));
    }
    Ok(parts)
}

/// Reads all of `body`, up to `bytes_max` bytes (`limits.body`).
pub async fn read(body: RequestBody, bytes_max: usize, time_max: Duration) -> Result<Bytes, Problem> {
    read_within(body, bytes_max, "limits.body", time_max).await
}

/// Reads all of `body`, up to `bytes_max` bytes; `limit` is the option that an error names.
pub async fn read_within(
    body: RequestBody,
    bytes_max: usize,
    limit: &'static str,
    time_max: Duration,
) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Problem::BodyTooLarge { bytes_max, limit });
    }
    match tokio::time::timeout(time_max, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::BodyTooLarge { bytes_max, limit }),
        Ok(Err(error)) => Err(Problem::BadRequest(format!("cannot read the request body: {error}"))),
        Err(_) => Err(Problem::BodyTooSlow { time_max }),
    }
}
