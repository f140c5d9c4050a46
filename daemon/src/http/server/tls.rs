//! TLS for both addresses: one certificate, reloaded when its files change.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::causes::chain;
use crate::http::settings::TlsFiles;
use crate::regular_file;
use crate::reload::{Stamps, Watched};
use crate::telemetry::escaped;

/// ALPN protocols in order of preference. Source: RFC 7301, section 6; RFC 9113, section 3.2.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Largest file, in bytes. A chain of certificates has a few thousand.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Error)]
pub enum TlsError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read the certificates in `{}`", path.display())]
    Certificates { path: PathBuf, source: pem::Error },
    #[error("`{}` has no certificate: `-----BEGIN CERTIFICATE-----` is missing", path.display())]
    NoCertificate { path: PathBuf },
    #[error("cannot read the private key in `{}`", path.display())]
    Key { path: PathBuf, source: pem::Error },
    /// They do not match, or rustls does not support them.
    #[error("the certificate in `{}` and the key in `{}` cannot be used together", certificates.display(), key.display())]
    Use { certificates: PathBuf, key: PathBuf, source: rustls::Error },
}

/// The certificate and key of the server.
pub struct Tls {
    files: TlsFiles,
    configuration: ArcSwap<ServerConfig>,
    stamps: Stamps,
}

impl Tls {
    pub fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        // Taken before the files are read, so that a change in between is noticed.
        let stamps = Stamps::of(&[files.certificates.clone(), files.key.clone()]);
        let configuration = ArcSwap::from(read(files)?);
        Ok(Self { files: files.clone(), configuration, stamps })
    }

    pub fn watched(self: &Arc<Self>) -> Watched {
        let paths = vec![self.files.certificates.clone(), self.files.key.clone()];
        let tls = self.clone();
        Watched::new(paths, self.stamps.clone(), move || tls.reload())
    }

    fn reload(&self) {
        match read(&self.files) {
            Ok(configuration) => {
                let path = escaped(&self.files.certificates.display().to_string());
                tracing::info!("certificate reloaded from `{path}`");
                self.configuration.store(configuration);
            }
            // Possibly only one of the two files has been replaced so far; the next poll sees the other.
            Err(error) => {
                tracing::error!("certificate not reloaded, the old one stays in use: {}", escaped(&chain(&error)));
            }
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.configuration.load_full().into()
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let TlsFiles { certificates: path, key: key_path } = files;
    let certificates = CertificateDer::pem_slice_iter(&bytes(path)?).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|source| TlsError::Certificates { path: path.clone(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.clone() });
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes(key_path)?);
    let key = key.map_err(|source| TlsError::Key { path: key_path.clone(), source })?;
    let wrong = |source| TlsError::Use { certificates: path.clone(), key: key_path.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(wrong)?.with_no_client_auth();
    let mut configuration = builder.with_single_cert(certificates, key).map_err(wrong)?;
    configuration.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(configuration))
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    regular_file::open(path).map_err(failed)?.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A certificate for `localhost`, and its key.
    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let pem = |label: &str, der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        (pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", made.signing_key.serialized_der()))
    }

    #[test]
    fn unusable_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificates: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let with = |certificates: &str, key: &str| {
            fs::write(&files.certificates, certificates).unwrap();
            fs::write(&files.key, key).unwrap();
            Tls::open(&files).map(drop)
        };
        let ((certificate, key), (_, other)) = (pair(), pair());
        assert!(matches!(Tls::open(&files), Err(TlsError::Read { .. })));
        assert!(with(&certificate, &key).is_ok());
        let mismatch = with(&certificate, &other).unwrap_err();
        assert!(matches!(mismatch, TlsError::Use { .. }) && chain(&mismatch).contains("KeyMismatch"), "{mismatch:?}");
        assert!(matches!(with("", &key), Err(TlsError::NoCertificate { .. })));
        assert!(matches!(with(&key, &key), Err(TlsError::NoCertificate { .. })));
        assert!(matches!(with("-----BEGIN CERTIFICATE-----\nAAAA\n", &key), Err(TlsError::Certificates { .. })));
        assert!(matches!(with(&certificate, &certificate), Err(TlsError::Key { .. })));
        assert!(matches!(
            with("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key),
            Err(TlsError::Use { .. })
        ));
    }

    #[test]
    fn a_mismatched_pair_does_not_replace_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificates: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let ((certificate, key), (second, second_key)) = (pair(), pair());
        fs::write(&files.certificates, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        let tls = Tls::open(&files).unwrap();
        let first = tls.configuration.load_full();
        fs::write(&files.certificates, second).unwrap();
        tls.reload();
        assert!(Arc::ptr_eq(&first, &tls.configuration.load_full()));
        fs::write(&files.key, second_key).unwrap();
        tls.reload();
        assert!(!Arc::ptr_eq(&first, &tls.configuration.load_full()));
    }
}
