//! TLS: which authorities are trusted, and one client configuration for the whole process.
//!
//! Functions share its cache of TLS sessions, because a second handshake with a host costs a fraction of the first. The
//! cache knows which hosts were contacted; no guest can see it.

use std::io;
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::destination::HostName;

/// The protocol inside TLS. Source: RFC 7301, section 6.
const ALPN_HTTP1: &[u8] = b"http/1.1";

static CONFIGURATION: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// Why extra certificate authorities could not be added.
#[derive(Debug, Error)]
pub enum RootsError {
    /// Not PEM.
    #[error("cannot read its certificates")]
    Read(#[source] pem::Error),
    /// No certificate.
    #[error("it contains no certificate; one begins with `-----BEGIN CERTIFICATE-----`")]
    Empty,
    /// A certificate that cannot be used as an authority's.
    #[error("its certificate {number} is not that of an authority")]
    Trust {
        /// Its place in the file, counted from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// rustls refused the configuration.
    #[error("cannot configure TLS")]
    Configure(#[source] rustls::Error),
    /// A request was sent, or authorities were set, before.
    #[error("the authorities of this process are in use already and cannot change")]
    Late,
}

/// Makes the whole process trust the authorities of a PEM file in addition to Mozilla's, and returns their number. Call it
/// once, before the first request.
///
/// # Errors
/// If it is called too late, or the file holds anything but certificates of authorities.
pub fn set_extra_roots(pem: &[u8]) -> Result<usize, RootsError> {
    let extra = authorities(pem)?;
    let count = extra.len();
    let configuration = configuration(extra)?;
    CONFIGURATION.set(configuration).map_err(|_| RootsError::Late)?;
    Ok(count)
}

/// A client configuration of its own, which trusts Mozilla's authorities and those of a PEM file.
///
/// # Errors
/// If the file holds anything but certificates of authorities.
pub fn trusting(pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, RootsError> {
    configuration(pem.map(authorities).transpose()?.unwrap_or_default())
}

fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let extra: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(RootsError::Read)?;
    if extra.is_empty() { Err(RootsError::Empty) } else { Ok(extra) }
}

/// Starts TLS on a connection and checks that the certificate is for `host`. An error of rustls is inside the I/O error.
pub async fn secure(stream: TcpStream, host: &HostName) -> io::Result<TlsStream<TcpStream>> {
    let name = match host {
        HostName::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        HostName::Address(address) => ServerName::from(*address),
    };
    TlsConnector::from(shared().map_err(io::Error::other)?.clone()).connect(name, stream).await
}

/// The client configuration that this process uses for the requests of guests.
///
/// # Errors
/// If rustls refuses the configuration.
pub fn tls_configuration() -> Result<ClientConfig, RootsError> {
    Ok(ClientConfig::clone(shared()?))
}

fn shared() -> Result<&'static Arc<ClientConfig>, RootsError> {
    match CONFIGURATION.get() {
        Some(configuration) => Ok(configuration),
        None => {
            let made = configuration(Vec::new())?;
            Ok(CONFIGURATION.get_or_init(|| made))
        }
    }
}

fn configuration(extra: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, RootsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (index, certificate) in extra.into_iter().enumerate() {
        roots.add(certificate).map_err(|source| RootsError::Trust { number: index + 1, source })?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(RootsError::Configure)?;
    let mut configuration = builder.with_root_certificates(roots).with_no_client_auth();
    configuration.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    Ok(Arc::new(configuration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_good_certificates_is_refused() {
        assert!(matches!(set_extra_roots(b""), Err(RootsError::Empty)));
        assert!(matches!(set_extra_roots(b"hello"), Err(RootsError::Empty)));
        let open = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(set_extra_roots(open), Err(RootsError::Read(_))));
        let hollow = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(set_extra_roots(hollow), Err(RootsError::Trust { number: 1, .. })));
    }
}
