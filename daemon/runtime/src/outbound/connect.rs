//! A connection to a host: name lookup, TCP, TLS.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::Error;

use super::destination::{Destination, HostName, Protocol};
use super::limits::LOOKUPS_MAX;
use super::{failure, tls};

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One permit for a name that is being looked up.
static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);

/// Connects to the first of the host's addresses that answers.
pub async fn connect(destination: &Destination) -> Result<Box<dyn Stream>, Error> {
    let stream = match &destination.host {
        HostName::Address(address) => reach(&[SocketAddr::new(*address, destination.port)]).await?,
        HostName::Name(name) => reach(&look_up(name.clone(), destination.port).await?).await?,
    };
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

/// Asks the system's resolver, which blocks a thread of the blocking pool: this work happens outside the call's polls.
async fn look_up(name: String, port: u16) -> Result<Vec<SocketAddr>, Error> {
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

async fn reach(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut failed: Option<io::Error> = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or(Error::DestinationNotFound, |error| failure::of_connecting(&error)))
}
