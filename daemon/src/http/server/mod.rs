//! Accepts connections, limits and serves them, and drains them at the end.

mod connection;
mod refusal;
pub mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use prometheus::IntGauge;
use socket2::SockRef;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::http::access::Listener;
use crate::http::app::App;
use crate::http::request::Peers;
use crate::http::sending::backlog::Backlog;
use crate::http::server::connection::Connection;
use crate::http::server::tls::Tls;
use crate::http::settings::ConnectionSettings;

/// How long to wait after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that the system takes for a connection before the client has room for them. More of them would hide from us that a
/// client has stopped reading, and would be memory that nobody counts.
///
/// Source: tcp(7), `TCP_NOTSENT_LOWAT`. Accepted connections inherit it.
const UNSENT_MAX: u32 = 128 << 10;

/// Connections that the system may have established and we have not accepted yet. Source: tokio, `TcpListener::bind`.
const ESTABLISHED_MAX: usize = 1024;

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
    backlog: Arc<Backlog>,
}

impl Server {
    /// Listens on `address`; for TLS if there is a certificate.
    pub async fn bind(
        address: SocketAddr,
        settings: ConnectionSettings,
        tls: Option<Arc<Tls>>,
        backlog: Arc<Backlog>,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        // Not every sandbox has it. Without it, slow clients are noticed later.
        let _ = SockRef::from(&listener).set_tcp_notsent_lowat(UNSENT_MAX);
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, settings, tls, backlog })
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
        let Self { listener, address, settings, tls, backlog } = self;
        let (stopping, _) = watch::channel(());
        let room = Arc::new(Semaphore::new(settings.connections));
        let serve = |stream: TcpStream, remote, permit: OwnedSemaphorePermit| {
            let open = OpenConnection::count(&app.metrics.connections);
            let tls = tls.as_ref().map(|tls| tls.acceptor());
            let local = stream.local_addr().unwrap_or(address);
            let (cut, registration) = AbortHandle::new_pair();
            let connection = Connection {
                app: app.clone(),
                listener: clients,
                peers: Peers { remote, local, https: tls.is_some() },
                settings,
                backlog: backlog.clone(),
                cut,
                stopping: stopping.subscribe(),
            };
            tokio::spawn(async move {
                if Abortable::new(connection.serve(stream, tls), registration).await.is_err() {
                    tracing::debug!("a connection was cut off: its client reads too slowly");
                }
                drop((open, permit));
            });
        };
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(permit) = room.clone().acquire_owned().await else { break };
                match listener.accept().await {
                    Ok((stream, remote)) => serve(stream, remote, permit),
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
        // Those that were established before the end are served: closing the listener would reset them.
        if let Ok(listener) = listener.into_std() {
            for _ in 0..ESTABLISHED_MAX {
                let Ok(permit) = room.clone().try_acquire_owned() else { break };
                let Ok((stream, remote)) = listener.accept() else { break };
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    serve(stream, remote, permit);
                }
            }
        }
        let _ = stopping.send(());
        tokio::time::timeout(settings.grace, stopping.closed()).await.is_ok()
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
