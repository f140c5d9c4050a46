//! Reads request bodies within their limits.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use http_body_util::{BodyExt, BodyStream, LengthLimitError, Limited, StreamBody};
use hyper::body::Body;
use multer::Multipart;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::answer::body::BoxError;
use crate::http::answer::problem::Problem;
use crate::http::request::incoming::RequestBody;
use crate::http::settings::ConnectionSettings;

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

/// How request bodies are received, and room in memory for those of all requests together.
#[derive(Clone)]
pub struct Bodies {
    /// Largest body of a call, in bytes.
    pub bytes_max: usize,
    /// Longest time until a body is complete.
    pub time_max: Duration,
    /// A permit for each byte.
    room: Arc<Semaphore>,
}

/// A body that was received.
#[derive(Default)]
pub struct Received {
    pub bytes: Bytes,
    /// Its place among all bodies. To be kept as long as the bytes.
    pub room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub fn new(settings: &ConnectionSettings) -> Self {
        let ConnectionSettings { body_max: bytes_max, body_timeout: time_max, bodies_max, .. } = *settings;
        Self { bytes_max, time_max, room: Arc::new(Semaphore::new(bodies_max)) }
    }

    /// Reads all of `body`, up to `limits.body`.
    pub async fn read(&self, body: RequestBody) -> Result<Received, Problem> {
        self.read_within(body, self.bytes_max, "limits.body").await
    }

    /// Reads all of `body`, up to `bytes_max` bytes; `limit` is the option that an error names.
    pub async fn read_within(
        &self,
        body: RequestBody,
        bytes_max: usize,
        limit: &'static str,
    ) -> Result<Received, Problem> {
        if body.is_end_stream() {
            return Ok(Received::default());
        }
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Problem::BodyTooLarge { bytes_max, limit });
        }
        let received = collect(Limited::new(body, bytes_max), |bytes| self.make_room(bytes));
        match tokio::time::timeout(self.time_max, received).await {
            Ok(Err(Broken::Body(error))) if error.is::<LengthLimitError>() => {
                Err(Problem::BodyTooLarge { bytes_max, limit })
            }
            Ok(Err(Broken::Body(error))) => Err(Problem::BadRequest(format!("cannot read the request body: {error}"))),
            Ok(Err(Broken::NoRoom)) => Err(Problem::NoRoomForBody),
            Ok(Ok(received)) => Ok(received),
            Err(_) => Err(Problem::BodyTooSlow { time_max: self.time_max }),
        }
    }

    /// Nobody waits for room: bodies that wait for each other would wait for ever.
    fn make_room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// Bytes of a body that are collected in one place.
const BLOCK: usize = 256 << 10;

enum Broken {
    Body(BoxError),
    NoRoom,
}

/// Joins the pieces of a body: kept one by one, many small ones would take many times their size. They are collected in
/// blocks of one size, so that what a refused body leaves is used by the next; the allocator keeps large areas to itself.
async fn collect<B: Body<Data = Bytes, Error = BoxError> + Unpin>(
    mut body: B,
    make_room: impl Fn(usize) -> Option<OwnedSemaphorePermit>,
) -> Result<Received, Broken> {
    let (mut first, mut blocks, mut room) = (Bytes::new(), Vec::<Vec<u8>>::new(), None::<OwnedSemaphorePermit>);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(Broken::Body)?.into_data() else { continue };
        let more = make_room(piece.len()).ok_or(Broken::NoRoom)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
        // A body of one piece is not copied.
        if first.is_empty() && blocks.is_empty() {
            first = piece;
            continue;
        }
        for piece in [std::mem::take(&mut first), piece] {
            match blocks.last_mut().filter(|block| block.len() + piece.len() <= BLOCK) {
                Some(block) => block.extend_from_slice(&piece),
                None => blocks.push(piece.into()),
            }
        }
    }
    if blocks.is_empty() {
        return Ok(Received { bytes: first, room });
    }
    let mut whole = Vec::with_capacity(blocks.iter().map(Vec::len).sum());
    for block in blocks {
        whole.extend_from_slice(&block);
    }
    Ok(Received { bytes: whole.into(), room })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(count: usize, size: usize) -> impl Body<Data = Bytes, Error = BoxError> + Unpin {
        StreamBody::new(iter((0..count).map(move |_| Ok(hyper::body::Frame::data(Bytes::from(vec![7; size]))))))
    }

    #[tokio::test]
    async fn bodies_share_room_and_give_it_back() {
        let room = Arc::new(Semaphore::new(10));
        let make_room = |bytes: usize| room.clone().try_acquire_many_owned(u32::try_from(bytes).unwrap()).ok();
        let six = collect(pieces(3, 2), make_room).await.ok().unwrap();
        assert_eq!((&six.bytes[..], room.available_permits()), (&[7; 6][..], 4));
        let four = collect(pieces(1, 4), make_room).await.ok().unwrap();
        assert!(matches!(collect(pieces(1, 1), make_room).await, Err(Broken::NoRoom)));
        assert_eq!(collect(pieces(2, 0), make_room).await.ok().unwrap().bytes, "");
        drop(six);
        // What was received of a body that finds no room is given back too.
        assert!(matches!(collect(pieces(7, 1), make_room).await, Err(Broken::NoRoom)));
        drop(four);
        assert_eq!(room.available_permits(), 10);
    }
}
