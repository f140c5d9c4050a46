//! Requests that are sent and requests that are refused, and what the guest gets in each case.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;

use super::server::{answers, head, listen};
use super::*;

#[tokio::test]
async fn a_listed_host_gets_the_request_in_origin_form() {
    let origin = listen(async |mut stream| {
        let head = head(&mut stream).await;
        let response = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{head}", head.len());
        stream.write_all(response.as_bytes()).await.expect("a reader");
    })
    .await;
    let (status, seen) = fetch(&origin, "/a%20b?c=d").await.expect("an answer");
    assert_eq!(status, 201);
    assert!(seen.starts_with("GET /a%20b?c=d HTTP/1.1\r\n"), "{seen}");
    let host = origin.replace("http://", "host: ");
    assert!(seen.contains(&format!("{host}\r\n")) && seen.contains("connection: close\r\n"), "{seen}");
    for (path, sent) in [("?c=d", "/?c=d"), ("", "/")] {
        let (_, seen) = fetch(&origin, path).await.expect("an answer");
        assert!(seen.starts_with(&format!("GET {sent} HTTP/1.1\r\n")), "{seen}");
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let echo = service_fn(|request: Request<hyper::body::Incoming>| {
        ready(Ok::<_, Infallible>(Response::new(request.into_body())))
    });
    let origin = listen(move |stream| async move {
        http1::Builder::new().serve_connection(TokioIo::new(stream), echo).await.expect("a connection");
    })
    .await;
    let end = calling(&[&origin], async |outbound| {
        let (pieces, taken) = mpsc::channel::<&'static str>(1);
        let frames = stream::unfold(taken, |mut taken| async {
            let piece = taken.recv().await?;
            Some((Ok::<_, Error>(Frame::data(Bytes::from(piece))), taken))
        });
        let request = post(&origin, StreamBody::new(frames).boxed_unsync());
        let (response, transmission) = begin(outbound, request, None).await.expect("an answer");
        let mut body = response.into_body();
        for piece in ["one", "two", "three"] {
            pieces.send(piece).await.expect("a connection");
            let echoed = body.frame().await.expect("a piece").expect("a piece").into_data().expect("data");
            assert_eq!(echoed, piece);
        }
        drop(pieces);
        assert!(body.frame().await.is_none());
        Box::into_pin(transmission).await
    });
    assert!(end.await.is_ok());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let response = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\nmove";
    let answer = fetch(&answers(response).await, "").await.expect("an answer");
    assert_eq!(answer, (302, "move".to_owned()));
}

#[tokio::test]
async fn an_unlisted_host_gets_no_connection_and_the_log_says_so_once() {
    let (connections, log) = (Arc::new(AtomicUsize::new(0)), Log::default());
    let counted = connections.clone();
    let origin = listen(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(())
    })
    .await;
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    calling(&[&origin.replace("127.0.0.1", "127.0.0.2"), "https://*"], async |outbound| {
        for _ in 0..3 {
            let refused = ask(outbound, get(&format!("{origin}/secret"))).await.expect_err("an unlisted host");
            assert_code(&refused, "HttpRequestDenied");
        }
    })
    .await;
    assert_eq!(connections.load(Ordering::Relaxed), 0);
    let log = String::from_utf8(log.0.lock().clone()).expect("text");
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in ["WARN", "function=\"weather\"", &format!("`{origin}`"), "`outbound`"] {
        assert!(log.contains(part), "{part} is not in: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn users_tunnels_and_urls_without_a_host_are_refused() {
    let origin = "http://127.0.0.1:1";
    let mut tunnel = get(origin);
    *tunnel.method_mut() = Method::CONNECT;
    let mut nowhere = get(origin);
    *nowhere.uri_mut() = Uri::from_static("/path");
    for (request, code) in [
        (get("http://me:password@127.0.0.1:1/"), "HttpRequestUriInvalid"),
        (tunnel, "HttpRequestMethodInvalid"),
        (nowhere, "HttpRequestUriInvalid"),
    ] {
        let refused = calling(&[origin], async |outbound| ask(outbound, request).await.map(|_| ())).await;
        assert_code(&refused.expect_err(code), code);
    }
}

#[tokio::test]
async fn a_failure_has_the_error_code_of_wasi_http() {
    let unused = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let silent = listen(async |mut stream| drop(head(&mut stream).await)).await;
    let half = answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let babble = answers("SSH-2.0-babble\r\n\r\n").await;
    for (origin, code) in [
        (unused, "ConnectionRefused"),
        (silent, "HttpResponseIncomplete"),
        (half, "HttpResponseIncomplete"),
        (babble, "HttpProtocolError"),
    ] {
        assert_code(&fetch(&origin, "").await.expect_err(code), code);
    }
    let origin = answers(Vec::new()).await;
    let short = stream::iter([Ok(Frame::data(Bytes::from("a"))), Err(Error::HttpRequestBodySize(Some(1)))]);
    let request = post(&origin, StreamBody::new(short).boxed_unsync());
    let failed = calling(&[&origin], async |o| ask(o, request).await.map(|_| ())).await;
    assert_code(&failed.expect_err("a body that is too short"), "HttpRequestBodySize(Some(1))");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn private_addresses_need_to_be_allowed_whatever_name_leads_to_them() {
    let origin = answers(OK).await;
    let port = origin.rsplit_once(':').expect("a port").1.to_owned();
    let any = format!("http://*:{port}");
    let ask = async |networks: &[&str], host: &str| {
        let policy = Policy::parse([any.as_str()]).expect("hosts");
        let policy = policy.reaching(Networks::parse(networks.iter().copied()).expect("networks"));
        let background = Background::new();
        let mut outbound = Outbound::new(policy, background.clone(), "weather".into(), None, OpenFiles::new(None));
        let url = format!("http://{host}:{port}");
        background.beside(async move { ask(&mut outbound, get(&url)).await.map(|response| response.status()) }).await
    };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"] {
        assert_code(&ask(&[], host).await.expect_err(host), "DestinationIpProhibited");
    }
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let allowed = format!("127.0.0.1:{port}");
        assert_eq!(ask(&[&allowed], host).await.expect(host), 200, "{host}");
    }
    assert_code(&ask(&["127.0.0.1:1"], "localhost").await.expect_err("another port"), "DestinationIpProhibited");
}
