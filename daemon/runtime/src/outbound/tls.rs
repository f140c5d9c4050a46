//! TLS towards hosts: whom to trust, and one configuration for the whole process.
//!
//! Functions share the cache of TLS sessions in it: a second handshake with the same host costs a fraction of the first,
//! also in energy. What is shared says which hosts were spoken to, and no guest can see it.

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

use super::destination::Host;

/// What is spoken inside TLS. Source: RFC 7301, section 6.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The process's configuration, made at the first need.
static CONFIGURATION: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// Why further certificate authorities are not trusted.
#[derive(Debug, Error)]
pub enum RootsError {
    /// It is no PEM.
    #[error("cannot read the certificates of authorities")]
    Read(#[source] pem::Error),
    /// There is nothing in it.
    #[error("there is no certificate in it, which begins with `-----BEGIN CERTIFICATE-----`")]
    Empty,
    /// A certificate that is none of an authority.
    #[error("certificate {number} is not an authority's")]
    Trust {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The library refuses what is asked of it.
    #[error("cannot configure TLS")]
    Configure(#[source] rustls::Error),
    /// A request was sent, or authorities were added, before.
    #[error("the authorities of this process are settled already")]
    Late,
}

/// Trusts the authorities of a PEM file besides Mozilla's, in the whole process, and says how many they are. To be called
/// once, before the first request is sent.
///
/// # Errors
/// When it is called too late, or the file is not what it should be.
pub fn set_extra_roots(pem: &[u8]) -> Result<usize, RootsError> {
    let extra = authorities(pem)?;
    let count = extra.len();
    let configuration = configuration(extra)?;
    CONFIGURATION.set(configuration).map_err(|_| RootsError::Late)?;
    Ok(count)
}

/// How a client speaks TLS that trusts Mozilla's authorities, and those of a PEM file besides.
///
/// # Errors
/// When the file is not what it should be.
pub fn trusting(pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, RootsError> {
    configuration(pem.map(authorities).transpose()?.unwrap_or_default())
}

fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let extra: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(RootsError::Read)?;
    if extra.is_empty() { Err(RootsError::Empty) } else { Ok(extra) }
}

/// Speaks TLS on a connection, to whom the certificate says it is.
///
/// # Errors
/// An error of rustls is inside the one of I/O.
pub async fn secure(stream: TcpStream, host: &Host) -> io::Result<TlsStream<TcpStream>> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        Host::Address(address) => ServerName::from(*address),
    };
    TlsConnector::from(shared().map_err(io::Error::other)?.clone()).connect(name, stream).await
}

/// The configuration of this process, for requests of its own.
///
/// # Errors
/// When the library refuses what is asked of it.
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

/// Trusts Mozilla's authorities and further ones.
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
    fn what_is_no_certificate_is_told() {
        assert!(matches!(set_extra_roots(b""), Err(RootsError::Empty)));
        assert!(matches!(set_extra_roots(b"hello"), Err(RootsError::Empty)));
        let open = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(set_extra_roots(open), Err(RootsError::Read(_))));
        let hollow = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(set_extra_roots(hollow), Err(RootsError::Trust { number: 1, .. })));
    }
}
