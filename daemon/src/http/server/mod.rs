//! Accepts connections, bounds them, and drains them at the end.

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
use crate::http::request::incoming::RequestBody;
use crate::http::request::peers::Peers;
use crate::http::server::tls::Tls;
use crate::http::settings::ConnectionSettings;

/// How every HTTP/2 connection begins. Source: RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Windows of HTTP/2, as Envoy advises for servers that face strangers.
const HTTP2_STREAM_WINDOW: u32 = 64 << 10;
const HTTP2_CONNECTION_WINDOW: u32 = 1 << 20;

/// After an idle time of this an HTTP/2 client is asked whether it is still there.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long to wait when the system has no file left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The server cannot begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is in use, forbidden, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What answers, and to whom.
type Entrance = (Arc<App>, Listener, Peers);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: ConnectionSettings,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Begins to listen; for TLS, where there is a certificate.
    ///
    /// # Errors
    /// When the address cannot be had.
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

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to type to get there.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop`, then takes no new connection and lets running calls finish within the time of grace.
    /// Whether all of them did.
    pub async fn serve(self, app: Arc<App>, listens: Listener, stop: impl Future<Output = ()>) -> bool {
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
                            let _open = Open::count(app.metrics.connections());
                            let local = stream.local_addr().unwrap_or(address);
                            let entrance = (app, listens, Peers { remote, local, https: tls.is_some() });
                            connection(stream, tls, entrance, settings, watcher, stopping).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("a connection was not accepted: {error}");
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
        // They would go on for as long as they may.
        app.observers.events.close();
        drop(listener);
        // Connections that have not said anything have nothing to finish.
        drop(stopping);
        tokio::time::timeout(settings.grace, graceful.shutdown()).await.is_ok()
    }
}

/// A connection, counted for as long as it is open.
struct Open(IntGauge);

impl Open {
    fn count(connections: &IntGauge) -> Self {
        connections.inc();
        Self(connections.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Protects the connection, where that is wanted, and serves it.
async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    entrance: Entrance,
    settings: ConnectionSettings,
    watcher: Watcher,
    mut stopping: watch::Receiver<()>,
) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        let (reader, writer) = stream.into_split();
        return converse(reader, writer, entrance, settings, watcher, stopping).await;
    };
    // In a box, so that connections in the clear do not carry the room for it.
    let secured = Box::pin(async move {
        let secured = tokio::select! {
            biased;
            secured = tokio::time::timeout(settings.header_timeout, tls.accept(stream)) => secured,
            _ = stopping.changed() => return,
        };
        match secured {
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                converse(reader, writer, entrance, settings, watcher, stopping).await;
            }
            Ok(Err(error)) => tracing::debug!("a connection was not secured: {error}"),
            Err(_) => tracing::debug!("a connection was not secured within {:?}", settings.header_timeout),
        }
    });
    secured.await;
}

/// Finds out which version the client speaks, and speaks it.
async fn converse(
    mut reader: impl AsyncRead + Unpin + Send + 'static,
    writer: impl AsyncWrite + Send + 'static,
    entrance: Entrance,
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
    // A client that asks and takes nothing of the answers would keep them in our memory for ever.
    let mut writer = TimeoutWriter::new(writer);
    writer.set_timeout(Some(settings.write_timeout));
    let stream = tokio::io::join(std::io::Cursor::new(first).chain(reader), Box::pin(writer));
    let served = if is_http2 {
        serve_http2(stream, entrance, settings, watcher).await
    } else {
        serve_http1(stream, entrance, settings, watcher).await
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended early: {error}");
    }
}

/// As many bytes as it takes to tell the versions apart. hyper itself waits for them without a limit of time.
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
    (app, listener, peers): Entrance,
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
    (app, listener, peers): Entrance,
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
