//! TLS: how servers are authenticated, and the error a guest gets if that fails.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::server::{listen, trusted, untrusted};
use super::*;

/// Answers one request with what was negotiated.
async fn serve(acceptor: TlsAcceptor) -> u16 {
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not trust the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            let protocol = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_owned();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", protocol.len());
            stream.write_all(&[head.as_bytes(), &protocol].concat()).await.expect("a reader");
            stream.shutdown().await.expect("a connection");
        }
    })
    .await
}

async fn fetched(acceptor: TlsAcceptor, host: &str) -> Result<(u16, String), Error> {
    let port = serve(acceptor).await;
    let entry = format!("https://{host}:{port}");
    calling(&[&entry], async |o| fetch(o, &entry).await).await
}

#[tokio::test]
async fn a_host_that_proves_its_name_or_address_is_spoken_to_in_http_1() {
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(fetched(trusted(host), host).await.expect("an answer"), (200, "http/1.1".to_owned()), "{host}");
    }
    assert_eq!(fetched(trusted("localhost"), "LOCALHOST.").await.expect("an answer").0, 200);
}

#[tokio::test]
async fn a_host_that_proves_another_name_is_not() {
    for (proven, asked) in [("example.com", "localhost"), ("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")] {
        let answer = fetched(trusted(proven), asked).await;
        assert!(matches!(answer, Err(Error::TlsCertificateError)), "{asked}: {answer:?}");
    }
}

#[tokio::test]
async fn a_host_that_nobody_vouches_for_is_not() {
    let answer = fetched(untrusted("localhost"), "localhost").await;
    assert!(matches!(answer, Err(Error::TlsCertificateError)), "{answer:?}");
}

#[tokio::test]
async fn a_host_without_tls_is_not_spoken_to_in_the_clear() {
    let port = super::server::answers("HTTP/1.1 200 OK\r\n\r\n").await;
    let entry = format!("https://127.0.0.1:{port}");
    let options = RequestOptions { connect_timeout: Some(SHORT), ..RequestOptions::default() };
    let answer = calling(&[&entry], async |o| begin(o, get(&entry), Some(options)).await.map(|_| ())).await;
    assert!(matches!(answer, Err(Error::ConnectionTimeout)), "the server waits for the end of a request: {answer:?}");
}
