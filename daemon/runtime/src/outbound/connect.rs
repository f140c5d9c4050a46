//! A connection to a host: name lookup, TCP, TLS.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::Error;

use super::destination::{Destination, HostName, Protocol};
use super::limits::LOOKUPS_MAX;
use super::networks::Networks;
use super::{failure, tls};

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One permit for a name that is being looked up.
static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);

/// Where the requests of a call may arrive.
pub struct Reach {
    /// Private addresses that are allowed.
    pub networks: Networks,
    pub function: Arc<str>,
    /// Whether the log has a refusal of this call already.
    pub has_logged: Arc<AtomicBool>,
}

impl Reach {
    /// Connects to the first of the host's addresses that is allowed and answers. The addresses that are checked are those
    /// that are connected to: the name is looked up once.
    pub async fn connect(&self, destination: &Destination) -> Result<Box<dyn Stream>, Error> {
        let stream = match &destination.host {
            HostName::Address(address) => self.reach(destination, vec![SocketAddr::new(*address, destination.port)]),
            HostName::Name(name) => self.reach(destination, look_up(name.clone(), destination.port).await?),
        };
        let stream = stream.await?;
        // Sends small requests at once. If it fails, the connection is slower and works.
        let _ = stream.set_nodelay(true);
        match destination.protocol {
            Protocol::Http => Ok(Box::new(stream)),
            Protocol::Https => match tls::secure(stream, &destination.host).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => {
                    tracing::debug!("TLS with {destination} failed: {error}");
                    Err(failure::of_securing(&error))
                }
            },
        }
    }

    async fn reach(&self, destination: &Destination, addresses: Vec<SocketAddr>) -> Result<TcpStream, Error> {
        let mut failed = None;
        for address in addresses {
            if !self.networks.allow(address) {
                self.log_refusal(
                    destination,
                    "it leads to a private address, and `outbound.private` does not allow it",
                );
                failed.get_or_insert(Error::DestinationIpProhibited);
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = Some(failure::of_connecting(&error)),
            }
        }
        Err(failed.unwrap_or(Error::DestinationNotFound))
    }

    /// Once a call, because a guest that keeps trying must not fill the log.
    pub fn log_refusal(&self, destination: &Destination, why: &str) {
        if !self.has_logged.swap(true, Ordering::Relaxed) {
            let function = &*self.function;
            tracing::warn!(function, "refused a request to `{destination}`: {why}");
        }
    }
}

/// Asks the system's resolver, which blocks a thread of the blocking pool: this work happens outside the call's polls.
pub async fn look_up(name: String, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let permit = LOOKUPS.acquire().await.map_err(|_| Error::DestinationUnavailable)?;
    let lookup = tokio::task::spawn_blocking(move || {
        // Held until the resolver is done, even if nobody waits for it any more.
        let _permit = permit;
        (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)
    });
    match lookup.await {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => {
            tracing::debug!("name lookup failed: {error}");
            Err(Error::DnsError { rcode: None, info_code: None })
        }
        Err(_) => Err(Error::DestinationUnavailable),
    }
}
