//! TLS: how servers are authenticated, and the error a guest gets if that fails.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::server::{answers, listen, trusted, untrusted};
use super::*;

/// Asks a server for the protocol that it negotiated.
async fn negotiated(acceptor: TlsAcceptor, host: &str) -> Result<(u16, String), Error> {
    let origin = listen(move |stream| {
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
    });
    fetch(&origin.await.replace("http://127.0.0.1", &format!("https://{host}")), "").await
}

#[tokio::test]
async fn a_certificate_must_be_for_the_host_and_from_a_trusted_authority() {
    for (proven, host) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("localhost", "LOCALHOST.")] {
        let answer = negotiated(trusted(proven), host).await.expect("an answer");
        assert_eq!(answer, (200, "http/1.1".to_owned()), "{host}");
    }
    for (acceptor, host) in [
        (trusted("example.com"), "localhost"),
        (trusted("localhost"), "127.0.0.1"),
        (trusted("127.0.0.1"), "localhost"),
        (untrusted("localhost"), "localhost"),
    ] {
        assert_code(&negotiated(acceptor, host).await.expect_err(host), "TlsCertificateError");
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request_in_the_clear() {
    let origin = answers("HTTP/1.1 200 OK\r\n\r\n").await.replace("http", "https");
    let options = RequestOptions { connect_timeout: Some(SHORT), ..RequestOptions::default() };
    let answer = calling(&[&origin], async |o| begin(o, get(&origin), Some(options)).await.map(|_| ())).await;
    // The server waits for the end of a request.
    assert_code(&answer.expect_err("no TLS"), "ConnectionTimeout");
}
