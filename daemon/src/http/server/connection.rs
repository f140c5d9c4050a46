//! Serves one connection, from its first byte to its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::AbortHandle;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::http::access::Listener;
use crate::http::app::App;
use crate::http::request::Peers;
use crate::http::request::incoming::RequestBody;
use crate::http::sending::backlog::Backlog;
use crate::http::sending::outlet::Outlet;
use crate::http::sending::streams::{self, StreamExecutor};
use crate::http::sending::writer::PacedWriter;
use crate::http::server::refusal::RefusalWriter;
use crate::http::settings::ConnectionSettings;

/// The first bytes of every HTTP/2 connection. Source: RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Flow-control windows that Envoy recommends for public servers.
const HTTP2_STREAM_WINDOW: u32 = 64 << 10;
const HTTP2_CONNECTION_WINDOW: u32 = 1 << 20;

/// How long an HTTP/2 connection may be idle before the server pings the client.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a connection of HTTP/1 without a request stays open when the daemon stops. A busy client sends its next request
/// meanwhile, and learns with the answer that the connection ends; otherwise the request would be lost on its way. It is at most
/// half of `http.grace`.
const LINGER: Duration = Duration::from_millis(500);

/// A connection that was accepted.
pub struct Connection {
    pub app: Arc<App>,
    pub listener: Listener,
    pub peers: Peers,
    pub settings: ConnectionSettings,
    pub backlog: Arc<Backlog>,
    /// Ends it at once.
    pub cut: AbortHandle,
    /// Changes when the server stops, which waits until this is dropped.
    pub stopping: watch::Receiver<()>,
}

impl Connection {
    /// Serves it, over TLS if there is an acceptor.
    pub async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Otherwise Nagle's algorithm delays small answers.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            let (reader, writer) = stream.into_split();
            return self.serve_stream(reader, writer).await;
        };
        // Boxed to keep the future of plain connections small.
        let secured = Box::pin(async move {
            let (time_max, linger) = (self.settings.header_timeout, linger(&self.settings));
            let secured = tokio::select! {
                biased;
                secured = timeout(time_max, tls.accept(stream)) => secured,
                () = lingered(&mut self.stopping, linger) => return,
            };
            match secured {
                Ok(Ok(stream)) => {
                    let (reader, writer) = tokio::io::split(stream);
                    self.serve_stream(reader, writer).await;
                }
                Ok(Err(error)) => tracing::debug!("TLS handshake failed: {error}"),
                Err(_) => tracing::debug!("TLS handshake not finished within {time_max:?}"),
            }
        });
        secured.await;
    }

    /// Detects the HTTP version of the client and serves its requests.
    async fn serve_stream(
        self,
        mut reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Send + 'static,
    ) {
        let Self { app, listener, peers, settings, backlog, cut, mut stopping } = self;
        let linger = linger(&settings);
        let first = tokio::select! {
            biased;
            first = timeout(settings.header_timeout, first_bytes(&mut reader)) => first,
            () = lingered(&mut stopping, linger) => return,
        };
        let Ok(Ok(first)) = first else { return };
        if first.is_empty() {
            return;
        }
        let is_http2 = first.starts_with(HTTP2_PREFACE);
        let outlet = Arc::new(Outlet::new(backlog, is_http2, cut));
        let writer = PacedWriter::new(Box::pin(writer), outlet.clone());
        // Over HTTP/2 what goes out first is no answer.
        let asked = Arc::new(AtomicBool::new(is_http2));
        let writer = RefusalWriter::new(writer, asked.clone(), settings, &first);
        let stream = tokio::io::join(std::io::Cursor::new(first).chain(reader), writer);
        let sent_by = outlet.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let (app, outlet) = (app.clone(), sent_by.clone());
            // The future of an answer is large: it is made where it stays.
            async move {
                let request = request.map(|body| RequestBody::new(body, is_http2));
                app.answer(request, listener, peers).await.map(|response| outlet.send(response))
            }
        });
        let stream = TokioIo::new(stream);
        let served = if is_http2 {
            let builder = http2_builder(&settings, StreamExecutor(outlet.clone()));
            let connection = builder.serve_connection(stream, service);
            // Boxed to keep the future of connections of HTTP/1 small.
            Box::pin(serve_http2(connection, &outlet, settings.idle, &mut stopping)).await
        } else {
            let connection = http1_builder(&settings).serve_connection(stream, service);
            streams::serve(outlet.clone(), serve_http1(connection, &outlet, linger, &mut stopping)).await
        };
        if let Err(error) = served {
            tracing::debug!("a connection ended early: {error}");
        }
    }
}

/// Serves until the connection ends, or the server stops and the requests that were on their way are answered.
async fn serve_http1(
    connection: impl GracefulConnection<Error = hyper::Error>,
    outlet: &Outlet,
    linger: Duration,
    stopping: &mut watch::Receiver<()>,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = stopping.changed() => outlet.leave(),
    }
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = sleep(linger) => {}
    }
    // A request may have arrived that this thread has not been told of.
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = tokio::task::yield_now() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Serves until the connection ends, the server stops, or no stream has been open for `idle_max`.
async fn serve_http2(
    connection: impl GracefulConnection<Error = hyper::Error>,
    outlet: &Outlet,
    idle_max: Duration,
    stopping: &mut watch::Receiver<()>,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep(idle_max));
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            _ = stopping.changed() => break,
            () = timer.as_mut() => {
                let left = idle_max.saturating_sub(outlet.idle_for().unwrap_or_default());
                if left.is_zero() {
                    break;
                }
                timer.as_mut().reset(Instant::now() + left);
            }
        }
    }
    // Sends GOAWAY, and closes after the last stream.
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Until a client without a request has had its time after the server stopped.
async fn lingered(stopping: &mut watch::Receiver<()>, linger: Duration) {
    let _ = stopping.changed().await;
    sleep(linger).await;
}

fn linger(settings: &ConnectionSettings) -> Duration {
    LINGER.min(settings.grace / 2)
}

/// Reads enough bytes to tell the HTTP versions apart. hyper can do so too, but without a timeout.
async fn first_bytes(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    while HTTP2_PREFACE.starts_with(&bytes) && bytes.len() < HTTP2_PREFACE.len() {
        if reader.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes)
}

fn http1_builder(settings: &ConnectionSettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_buf_size(settings.head);
    builder
}

fn http2_builder(settings: &ConnectionSettings, executor: StreamExecutor) -> http2::Builder<StreamExecutor> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.head).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(settings.header_timeout);
    builder
}
