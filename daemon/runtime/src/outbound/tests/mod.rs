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

/// What a guest of a function that may reach `entries` gets.
fn calling<T, G>(entries: &[&str], guest: G) -> impl Future<Output = T> + use<T, G>
where
    G: AsyncFnOnce(&mut Outbound) -> T,
{
    let background = Background::new();
    let mut outbound = outbound(entries, &background);
    async move { background.beside(guest(&mut outbound)).await }
}

fn outbound(entries: &[&str], background: &Background) -> Outbound {
    server::authorities();
    let policy = Policy::parse(entries.iter().copied()).expect("entries");
    Outbound::new(policy, background.clone(), "weather".into(), None)
}

/// Begins a request, as a guest does that does not wait for it.
fn begin(
    outbound: &mut Outbound,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> impl Future<Output = Received> + Send + use<> {
    Box::into_pin(outbound.send_request(request, options, Box::new(ready(Ok(())))))
}

/// The response's head, with the body to come.
async fn ask(outbound: &mut Outbound, url: &str) -> Result<Response<WasiBody>, Error> {
    begin(outbound, get(url), None).await.map(|(response, _)| response)
}

/// The status and the whole body.
async fn fetch(outbound: &mut Outbound, url: &str) -> Result<(u16, String), Error> {
    let response = ask(outbound, url).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.into()).expect("text")))
}

/// As wasmtime makes it of what a guest sets.
fn get(url: &str) -> Request<WasiBody> {
    let uri: Uri = url.parse().expect("a URL");
    let host = uri.authority().expect("a host").to_string();
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    Request::get(uri).header("host", host).body(body).expect("a request")
}

/// With a body of unknown length, which takes a method that has a body.
fn post(url: &str, body: WasiBody) -> Request<WasiBody> {
    let mut request = get(url).map(|_| body);
    *request.method_mut() = Method::POST;
    request
}

/// Long enough to be told from none, short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);
