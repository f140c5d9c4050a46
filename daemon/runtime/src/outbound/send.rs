//! One request and its response, on their own connection.

use futures_util::future::{Either, select};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::pin::pin;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

use super::connect::{Reach, Stream};
use super::destination::Destination;
use super::failure;
use super::limits::{BUFFER_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX, Timeouts};
use super::response;

/// Resolves when both bodies have been sent and the connection is done.
pub type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// The response to a request, or why there is none.
pub type Received = Result<(Response<WasiBody>, Transmission), Error>;

type Connection = http1::Connection<TokioIo<Box<dyn Stream>>, WasiBody>;

/// Sends a request, passes on the head of the response, and drives the connection to its end. Stops if nobody waits for the
/// response any more.
pub async fn send(
    request: Request<WasiBody>,
    destination: Destination,
    reach: Reach,
    timeouts: Timeouts,
    mut answer: oneshot::Sender<Received>,
) {
    let begun = tokio::select! {
        biased;
        () = answer.closed() => return,
        begun = begin(request, &destination, &reach, timeouts) => begun,
    };
    let (response, connection) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            tracing::debug!("a request to {destination} failed: {error}");
            // Nobody may be waiting any more.
            let _ = answer.send(Err(error));
            return;
        }
    };
    let (end, ended) = oneshot::channel();
    // The sender is dropped unfinished only when the call is.
    let transmission: Transmission = Box::new(async move { ended.await.unwrap_or(Ok(())) });
    if answer.send(Ok((response, transmission))).is_ok() {
        let outcome = match connection {
            Some(connection) => connection.await.map_err(|error| failure::of_exchanging(&error)),
            None => Ok(()),
        };
        let _ = end.send(outcome);
    }
}

/// Sends the request and waits for the head of the response. The connection is `None` if it has ended by then.
async fn begin(
    request: Request<WasiBody>,
    destination: &Destination,
    reach: &Reach,
    timeouts: Timeouts,
) -> Result<(Response<WasiBody>, Option<Connection>), Error> {
    let connected = async {
        let stream = reach.connect(destination).await?;
        let mut builder = http1::Builder::new();
        builder.max_header_size(RESPONSE_HEAD_BYTES_MAX).max_buf_size(BUFFER_BYTES_MAX);
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| failure::of_exchanging(&error))
    };
    let connected = timeout(timeouts.connect, connected).await;
    let (mut sender, connection): (_, Connection) = connected.map_err(|_| Error::ConnectionTimeout)??;
    let sending = pin!(sender.send_request(in_origin_form(request)));
    let answered = async {
        match select(sending, connection).await {
            Either::Left((response, connection)) => (response, Some(connection)),
            // The connection has ended: it leaves the response, or the reason why there is none.
            Either::Right((_, sending)) => (sending.await, None),
        }
    };
    let answered = timeout(timeouts.first_byte, answered).await;
    let (response, connection) = answered.map_err(|_| Error::ConnectionReadTimeout)?;
    let response = response.map_err(|error| failure::of_exchanging(&error))?;
    Ok((response.map(|body| response::body(body, timeouts.between_bytes)), connection))
}

/// The form that servers expect from clients which use no proxy. The connection closes after this request.
fn in_origin_form(mut request: Request<WasiBody>) -> Request<WasiBody> {
    // An empty path reads as `/` and would be written as nothing.
    let path = request.uri().path_and_query().filter(|path| path.as_str() != "/").cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    request
}
