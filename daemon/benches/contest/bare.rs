//! A server that only answers, with hyper and the same settings as nebula: the most that any server on hyper can reach.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};

/// Runs this server in place of the benchmark. The body of its answer follows, then its headers as `name: value`.
pub const FLAG: &str = "--bare";

/// Gives every request the same answer.
pub fn serve(answer: &[String]) -> anyhow::Result<()> {
    let (body, headers) = answer.split_first().map(|(body, headers)| (body.as_str(), headers)).unwrap_or_default();
    let body = Bytes::from(body.to_owned());
    let mut fields = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(|header| header.split_once(": ")) {
        fields.insert(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (body, fields) = (body.clone(), fields.clone());
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                    let mut response = Response::new(Full::new(body.clone()));
                    *response.headers_mut() = fields.clone();
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
