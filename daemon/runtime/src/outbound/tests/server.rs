//! Servers on the test's own thread, outside any call.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::outbound::{RootsError, set_extra_roots};

/// Gives every connection to `serve`. Returns the origin, such as `http://127.0.0.1:41234`.
pub async fn listen<S, F>(serve: S) -> String
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    origin
}

/// Answers every request with the same bytes, and then closes the connection.
pub async fn answers(response: impl Into<Vec<u8>>) -> String {
    let response = Arc::new(response.into());
    listen(move |mut stream| {
        let response = response.clone();
        async move {
            head(&mut stream).await;
            // The peer may close the connection before the end.
            let _ = stream.write_all(&response).await;
        }
    })
    .await
}

/// Reads a request up to the empty line that ends its head.
pub async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    String::from_utf8(head).expect("text")
}

/// Reads until the peer has closed the connection.
pub async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset closes it, too.
    let _ = stream.read_to_end(&mut rest).await;
}

/// An authority that the process trusts, and one that it does not.
static AUTHORITIES: LazyLock<(Issuer, Issuer)> = LazyLock::new(|| {
    let (known, unknown) = (issuer(), issuer());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(known.der()));
    assert_eq!(set_extra_roots(pem.as_bytes()).expect("an authority"), 1);
    assert!(matches!(set_extra_roots(pem.as_bytes()), Err(RootsError::Late)));
    (known, unknown)
});

pub type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// Sets the authorities that the process trusts. Its first request would settle them.
pub fn authorities() -> &'static (Issuer, Issuer) {
    &AUTHORITIES
}

/// Speaks TLS with a certificate of the trusted authority.
pub fn trusted(name: &str) -> TlsAcceptor {
    acceptor(name, &authorities().0)
}

/// Speaks TLS with a certificate of the unknown authority.
pub fn untrusted(name: &str) -> TlsAcceptor {
    acceptor(name, &authorities().1)
}

fn acceptor(name: &str, issuer: &Issuer) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new([name.to_owned()]).expect("parameters");
    let certificate = parameters.signed_by(&key, issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut configuration = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(configuration).into()
}
