//! Accepts connections, limits and serves them, and drains them at the end.

pub mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
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
    pub fn address(&self) -> SocketAddr {
        self.address
    }

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
                        let open = OpenConnection::count(&app.metrics.connections);
                        let tls = tls.as_ref().map(|tls| tls.acceptor());
                        let local = stream.local_addr().unwrap_or(address);
                        let connection = Connection {
                            app: app.clone(),
                            listener: clients,
                            peers: Peers { remote, local, https: tls.is_some() },
                            settings,
                            watcher: graceful.watcher(),
                            stopping: stopping.subscribe(),
                        };
                        tokio::spawn(async move {
                            connection.serve(stream, tls).await;
                            drop((open, permit));
                        });
                    }
                    Err(error) => {
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = stop => {}
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

/// A connection that was accepted.
struct Connection {
    app: Arc<App>,
    listener: Listener,
    peers: Peers,
    settings: ConnectionSettings,
    watcher: Watcher,
    /// Changes when the server stops.
    stopping: watch::Receiver<()>,
}

impl Connection {
    /// Serves it, over TLS if there is an acceptor.
    async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Otherwise Nagle's algorithm delays small answers.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            let (reader, writer) = stream.into_split();
            return self.serve_stream(reader, writer).await;
        };
        // Boxed to keep the future of plain connections small.
        let secured = Box::pin(async move {
            let time_max = self.settings.header_timeout;
            let secured = tokio::select! {
                biased;
                secured = tokio::time::timeout(time_max, tls.accept(stream)) => secured,
                _ = self.stopping.changed() => return,
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
        let Self { app, listener, peers, settings, watcher, mut stopping } = self;
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
        let service = service_fn(move |request: Request<Incoming>| {
            app.clone().answer(request.map(|body| RequestBody::new(body, is_http2)), listener, peers)
        });
        let builder = builder(&settings, is_http2);
        if let Err(error) = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await {
            tracing::debug!("a connection ended early: {error}");
        }
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

fn builder(settings: &ConnectionSettings, is_http2: bool) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.head)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.head).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(settings.header_timeout);
    builder
}
