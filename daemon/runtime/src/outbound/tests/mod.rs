//! Requests to real servers, from guests that are futures.

mod limits;
mod policy;
mod polling;
mod requests;
mod server;
mod tls;
mod wasi_http;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, Uri};

use super::*;
use crate::files::OpenFiles;

/// Long enough to differ from zero, short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Runs a guest whose function may send requests to `origins`.
fn calling<T, G>(origins: &[&str], guest: G) -> impl Future<Output = T> + use<T, G>
where
    G: AsyncFnOnce(&mut Outbound) -> T,
{
    let background = Background::new();
    let mut outbound = outbound(origins, &background);
    async move { background.beside(guest(&mut outbound)).await }
}

fn outbound(origins: &[&str], background: &Background) -> Outbound {
    server::authorities();
    let policy = Policy::parse(origins.iter().copied()).expect("origins").reaching(Networks::all());
    Outbound::new(policy, background.clone(), "weather".into(), None, OpenFiles::new(None))
}

/// Begins a request without waiting for it.
fn begin(
    outbound: &mut Outbound,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> impl Future<Output = Received> + Send + use<> {
    Box::into_pin(outbound.send_request(request, options, Box::new(ready(Ok(())))))
}

/// The head of the response, with its body still to come.
async fn ask(outbound: &mut Outbound, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
    begin(outbound, request, None).await.map(|(response, _)| response)
}

/// The status and the whole body that a guest gets from a path of an origin that its function may use.
async fn fetch(origin: &str, path: &str) -> Result<(u16, String), Error> {
    let response = calling(&[origin], async |outbound| {
        let response = ask(outbound, get(&format!("{origin}{path}"))).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    });
    response.await.map(|(status, body)| (status, String::from_utf8(body.into()).expect("text")))
}

/// A request as wasmtime makes it.
fn get(url: &str) -> Request<WasiBody> {
    let uri: Uri = url.parse().expect("a URL");
    let host = uri.authority().expect("a host").to_string();
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    Request::get(uri).header("host", host).body(body).expect("a request")
}

/// A request with a body of unknown length.
fn post(url: &str, body: WasiBody) -> Request<WasiBody> {
    let mut request = get(url).map(|_| body);
    *request.method_mut() = Method::POST;
    request
}

#[track_caller]
fn assert_code(error: &Error, code: &str) {
    assert!(format!("{error:?}").starts_with(code), "{error:?} is not {code}");
}
