//! An authority that signs certificates for the daemon, and a client that trusts it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::daemon::temporary_folder;

/// An authority, and the certificate and key that it issued to the daemon.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let folder = temporary_folder();
        let authority = Self { issuer, folder };
        write(&authority.certificate(), "CERTIFICATE", authority.issuer.der());
        authority.issue();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.path("key.pem")
    }

    /// Issues a new certificate and key to the daemon, and returns the certificate.
    pub fn issue(&self) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        write(&self.path("cert.pem"), "CERTIFICATE", certificate.der());
        write(&self.key(), "PRIVATE KEY", &key.serialize_der());
        certificate.der().to_vec()
    }

    pub fn options(&self) -> Vec<String> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        vec!["--tls-cert".into(), path("cert.pem"), "--tls-key".into(), path("key.pem")]
    }

    /// A TLS connection that offers these protocols.
    pub async fn connect(&self, address: SocketAddr, protocols: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut configuration = builder.with_root_certificates(roots).with_no_client_auth();
        configuration.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(configuration)).connect(name, stream).await
    }
}

fn write(path: &Path, label: &str, der: &[u8]) {
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
    std::fs::write(path, text).unwrap();
}
