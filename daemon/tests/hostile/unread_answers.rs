//! Clients that ask and then read nothing, or next to nothing.

use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::prelude::*;

/// A connection of HTTP/2 that never has room for a byte of an answer's body, but answers PING.
async fn closed_window(daemon: &Daemon) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.initial_stream_window_size(0).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// As `until`, while connections go on being served.
async fn until_async(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST_WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONGEST_WAIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_call_ends_at_its_deadline_although_its_client_reads_nothing() {
    const CALLS: usize = 8;
    let daemon = Daemon::start(&["--limits-wall 1s --http-write-timeout 1h"]);
    block_on(async {
        let mut sender = closed_window(&daemon).await;
        let mut answers = Vec::new();
        for _ in 0..CALLS {
            // More than the daemon takes from a guest before anybody reads.
            let body = Full::new(Bytes::from(vec![b'x'; 1 << 20]));
            let request = Request::post(format!("{}/fn/http-echo", daemon.url())).body(body).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            answers.push(answer);
        }
        until_async("all calls have ended at their deadline", || {
            (daemon.calls("http-echo", "timeout"), daemon.in_flight()) == (CALLS as f64, 0.0)
        })
        .await;
    });
}
