//! What gets through, what is refused, and how either looks.

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
async fn a_listed_host_gets_the_request_as_a_server_expects_it() {
    let port = listen(async |mut stream| {
        let head = head(&mut stream).await;
        let response = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{head}", head.len());
        stream.write_all(response.as_bytes()).await.expect("a reader");
    })
    .await;
    let entry = format!("http://127.0.0.1:{port}");
    let (status, seen) =
        calling(&[&entry], async |o| fetch(o, &format!("{entry}/a%20b?c=d")).await).await.expect("an answer");
    assert_eq!(status, 201);
    assert!(seen.starts_with("GET /a%20b?c=d HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: 127.0.0.1:{port}\r\n")) && seen.contains("connection: close\r\n"), "{seen}");
    let (_, seen) = calling(&[&entry], async |o| fetch(o, &format!("{entry}?c=d")).await).await.expect("an answer");
    assert!(seen.starts_with("GET /?c=d HTTP/1.1\r\n"), "{seen}");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let echo = service_fn(|request: Request<hyper::body::Incoming>| {
        ready(Ok::<_, Infallible>(Response::new(request.into_body())))
    });
    let port = listen(move |stream| async move {
        http1::Builder::new().serve_connection(TokioIo::new(stream), echo).await.expect("a connection");
    })
    .await;
    let entry = format!("http://127.0.0.1:{port}");
    let end = calling(&[&entry], async |outbound| {
        let (pieces, taken) = mpsc::channel::<&'static str>(1);
        let frames = stream::unfold(taken, |mut taken| async {
            let piece = taken.recv().await?;
            Some((Ok::<_, Error>(Frame::data(Bytes::from(piece))), taken))
        });
        let request = post(&entry, StreamBody::new(frames).boxed_unsync());
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
async fn a_redirect_is_the_guests_affair() {
    let port = answers("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\nmove").await;
    let entry = format!("http://127.0.0.1:{port}");
    let answer = calling(&[&entry], async |o| fetch(o, &entry).await).await.expect("an answer");
    assert_eq!(answer, (302, "move".to_owned()));
}

#[tokio::test]
async fn whoever_is_not_listed_hears_nothing_and_the_log_says_so_once() {
    let (asked, log) = (Arc::new(AtomicUsize::new(0)), Log::default());
    let counted = asked.clone();
    let port = listen(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(())
    })
    .await;
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    calling(&[&format!("http://127.0.0.2:{port}"), "https://*"], async |outbound| {
        for _ in 0..3 {
            let answer = ask(outbound, &format!("http://127.0.0.1:{port}/secret")).await;
            assert!(matches!(answer, Err(Error::HttpRequestDenied)), "{answer:?}");
        }
    })
    .await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let log = log.text();
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in ["WARN", "function=\"weather\"", &format!("`http://127.0.0.1:{port}`"), "`outbound`"] {
        assert!(log.contains(part), "{part} is not in: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn users_tunnels_and_urls_without_a_host_are_refused() {
    let entry = "http://127.0.0.1:1";
    calling(&[entry], async |outbound| {
        let answer = ask(outbound, "http://me:password@127.0.0.1:1/").await;
        assert!(matches!(answer, Err(Error::HttpRequestUriInvalid)), "{answer:?}");
        let mut tunnel = get(entry);
        *tunnel.method_mut() = Method::CONNECT;
        let answer = begin(outbound, tunnel, None).await.map(|_| ());
        assert!(matches!(answer, Err(Error::HttpRequestMethodInvalid)), "{answer:?}");
        let mut nowhere = get(entry);
        *nowhere.uri_mut() = Uri::from_static("/path");
        let answer = begin(outbound, nowhere, None).await.map(|_| ());
        assert!(matches!(answer, Err(Error::HttpRequestUriInvalid)), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn what_breaks_off_is_told_in_the_words_of_wasi_http() {
    let unused = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let silent = listen(async |mut stream| drop(head(&mut stream).await)).await;
    let half = answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let babble = answers("SSH-2.0-babble\r\n\r\n").await;
    let of = async |port: u16| {
        let entry = format!("http://127.0.0.1:{port}");
        calling(&[&entry], async |o| fetch(o, &entry).await).await.expect_err("a failure")
    };
    let (unused, silent, half, babble) = (of(unused).await, of(silent).await, of(half).await, of(babble).await);
    assert!(matches!(unused, Error::ConnectionRefused), "{unused:?}");
    assert!(matches!(silent, Error::HttpResponseIncomplete), "{silent:?}");
    assert!(matches!(half, Error::HttpResponseIncomplete), "{half:?}");
    assert!(matches!(babble, Error::HttpProtocolError), "{babble:?}");
    let entry = format!("http://127.0.0.1:{}", answers(Vec::new()).await);
    let short = stream::iter([Ok(Frame::data(Bytes::from("a"))), Err(Error::HttpRequestBodySize(Some(1)))]);
    let request = post(&entry, StreamBody::new(short).boxed_unsync());
    let own = calling(&[&entry], async |o| begin(o, request, None).await.map(|_| ())).await;
    assert!(matches!(own, Err(Error::HttpRequestBodySize(Some(1)))), "{own:?}");
}

/// Lines that were logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

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
