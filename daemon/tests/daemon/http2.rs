//! HTTP/2 with prior knowledge, on the port that speaks HTTP/1.1.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Request, StatusCode};
use tokio::task::JoinSet;

use crate::prelude::*;

/// The size of a piece of a body.
const PIECE: usize = 8 << 10;

/// Sends at most so many pieces to a path that does not want them. Gives the answer's status, and how many bytes had been
/// taken from the body when the stream was over.
async fn send_unwanted(daemon: &Daemon, path: &str, pieces: usize) -> (StatusCode, usize) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let piece = move || {
        counted.fetch_add(PIECE, Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; PIECE])))
    };
    // Its length is not announced, so it is not refused for its head alone.
    let body = StreamBody::new(futures_util::stream::iter(std::iter::repeat_with(piece).take(pieces)));
    let request = Request::post(format!("http://{}{path}", daemon.address())).body(body).unwrap();
    let response = http2_connection(daemon).await.send_request(request).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    // The client lets go of the body at the end of the stream.
    for _ in 0..1000 {
        if Arc::strong_count(&taken) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(Arc::strong_count(&taken), 1, "the stream is not over");
    (status, taken.load(Ordering::Relaxed))
}

#[test]
fn many_calls_share_one_connection() {
    let daemon = Daemon::shared(&[]);
    block_on(async {
        let sender = http2_connection(&daemon).await;
        let mut calls = JoinSet::new();
        for number in 0..50 {
            let mut sender = sender.clone();
            let body = Full::new(Bytes::from(format!("{number},1")));
            let request = Request::post(format!("http://{}/invoke/add", daemon.address())).body(body).unwrap();
            calls.spawn(async move {
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                let body = response.into_body().collect().await.unwrap().to_bytes();
                let envelope: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(envelope["output"], format!("{}\n", number + 1));
            });
        }
        calls.join_all().await;
    });
}

/// Source: RFC 9113, sections 3.4 (preface), 4.1 (frames) and 6.5.2 (settings).
#[test]
fn the_number_of_streams_is_the_one_configured() {
    const SETTINGS: u8 = 4;
    const MAX_CONCURRENT_STREAMS: [u8; 2] = [0, 3];
    let daemon = Daemon::shared(&["--http-streams 7"]);
    let mut stream = daemon.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], SETTINGS);
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).unwrap();
    let streams = settings.chunks(6).find(|setting| setting[..2] == MAX_CONCURRENT_STREAMS).unwrap();
    assert_eq!(streams[2..], [0, 0, 0, 7]);
}

/// A stream with an unwanted body ends without a reset until its answer is there: curl up to 8.0 takes the reset for a failure
/// (its error 92), and never shows the status.
#[test]
fn a_refused_body_is_read_to_its_end_up_to_a_megabyte() {
    const PIECES: usize = 64;
    let daemon = Daemon::shared(&["--limits-body 1KiB"]);
    block_on(async {
        for (path, status) in
            [("/invoke/add", StatusCode::PAYLOAD_TOO_LARGE), ("/no/such/route", StatusCode::NOT_FOUND)].repeat(10)
        {
            assert_eq!(send_unwanted(&daemon, path, PIECES).await, (status, PIECES * PIECE), "{path}");
        }
        let (status, taken) = send_unwanted(&daemon, "/no/such/route", usize::MAX).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        // What is on the way comes on top: a window, and what the client holds ready.
        assert!((1 << 20..2 << 20).contains(&taken), "{taken} bytes");
    });
}
