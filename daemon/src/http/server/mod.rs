//! Accepts connections, limits and serves them, and drains them at the end.

pub mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use prometheus::IntGauge;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;

use crate::http::access::Listener;
use crate::http::app::App;
use crate::http::request::Peers;
use crate::http::request::incoming::RequestBody;
use crate::http::server::tls::Tls;
use crate::http::settings::ConnectionSettings;

/// The first bytes of every HTTP/2 connection. Source: RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Flow-control windows that Envoy recommends for public servers.
const HTTP2_STREAM_WINDOW: u32 = 64 << 10;
const HTTP2_CONNECTION_WINDOW: u32 = 1 << 20;

/// How long an HTTP/2 connection may be idle before the server pings the client.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long to wait after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Error)]
pub enum ServeError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
}

type ServiceContext = (Arc<App>, Listener, Peers);

pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: ConnectionSettings,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Listens on `address`; for TLS if there is a certificate.
    pub async fn bind(
        address: SocketAddr,
        settings: ConnectionSettings,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, settings, tls })
    }

    /// With the port that the system has chosen if the settings leave it open.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop`, then accepts no more connections and waits up to `http.grace` for running calls. Returns whether
    /// all of them finished.
    pub async fn serve(self, app: Arc<App>, clients: Listener, stop: impl Future<Output = ()>) -> bool {
        let Self { listener, address, settings, tls } = self;
        let graceful = GracefulShutdown::new();
        let (stopping, _) = watch::channel(());
        let room = Arc::new(Semaphore::new(settings.connections));
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(permit) = room.clone().acquire_owned().await else { break };
                match listener.accept().await {
                    Ok((stream, remote)) => {
                        let (app, watcher, stopping) = (app.clone(), graceful.watcher(), stopping.subscribe());
                        let tls = tls.as_ref().map(|tls| tls.acceptor());
                        tokio::spawn(async move {
                            let _open = OpenConnection::count(&app.metrics.connections);
                            let local = stream.local_addr().unwrap_or(address);
                            let context = (app, clients, Peers { remote, local, https: tls.is_some() });
                            serve_tcp(stream, tls, context, settings, watcher, stopping).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::pin!(stop);
        tokio::select! {
            () = accept => {}
            () = &mut stop => {}
        }
        app.draining.store(true, Ordering::Relaxed);
        // Event streams would last until the grace period ends.
        app.observers.events.close();
        drop(listener);
        // Closes connections on which no request has begun.
        drop(stopping);
        tokio::time::timeout(settings.grace, graceful.shutdown()).await.is_ok()
    }
}

/// Counts a connection while it is open.
struct OpenConnection(IntGauge);

impl OpenConnection {
    fn count(connections: &IntGauge) -> Self {
        connections.inc();
        Self(connections.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves a connection, over TLS if there is an acceptor.
async fn serve_tcp(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    context: ServiceContext,
    settings: ConnectionSettings,
    watcher: Watcher,
    mut stopping: watch::Receiver<()>,
) {
    // Otherwise Nagle's algorithm delays small answers.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        let (reader, writer) = stream.into_split();
        return serve_stream(reader, writer, context, settings, watcher, stopping).await;
    };
    // Boxed to keep the future of plain connections small.
    let secured = Box::pin(async move {
        let secured = tokio::select! {
            biased;
            secured = tokio::time::timeout(settings.header_timeout, tls.accept(stream)) => secured,
            _ = stopping.changed() => return,
        };
        match secured {
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                serve_stream(reader, writer, context, settings, watcher, stopping).await;
            }
            Ok(Err(error)) => tracing::debug!("TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("TLS handshake not finished within {:?}", settings.header_timeout),
        }
    });
    secured.await;
}

/// Detects the HTTP version of a client and serves its requests.
async fn serve_stream(
    mut reader: impl AsyncRead + Unpin + Send + 'static,
    writer: impl AsyncWrite + Send + 'static,
    context: ServiceContext,
    settings: ConnectionSettings,
    watcher: Watcher,
    mut stopping: watch::Receiver<()>,
) {
    let first = tokio::select! {
        biased;
        first = tokio::time::timeout(settings.header_timeout, first_bytes(&mut reader)) => first,
        _ = stopping.changed() => return,
    };
    let Ok(Ok(first)) = first else { return };
    if first.is_empty() {
        return;
    }
    let is_http2 = first.starts_with(HTTP2_PREFACE);
    // Without it, a client that reads no answers would keep them in memory forever.
    let mut writer = TimeoutWriter::new(writer);
    writer.set_timeout(Some(settings.write_timeout));
    let stream = tokio::io::join(std::io::Cursor::new(first).chain(reader), Box::pin(writer));
    let served = if is_http2 {
        serve_http2(stream, context, settings, watcher).await
    } else {
        serve_http1(stream, context, settings, watcher).await
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended early: {error}");
    }
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

async fn serve_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (app, listener, peers): ServiceContext,
    settings: ConnectionSettings,
    watcher: Watcher,
) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        app.clone().answer(request.map(RequestBody::alone), listener, peers)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_buf_size(settings.head);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
}

async fn serve_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (app, listener, peers): ServiceContext,
    settings: ConnectionSettings,
    watcher: Watcher,
) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        app.clone().answer(request.map(RequestBody::multiplexed), listener, peers)
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.head).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(settings.header_timeout);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
}
