//! HTTP/2 with prior knowledge, on the port that speaks HTTP/1.1.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::daemon::Daemon;

const OPTIONS: &[&str] = &["--source", "model"];

#[test]
fn many_calls_share_one_connection() {
    let daemon = Daemon::shared(OPTIONS);
    let address = daemon.address();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut calls = JoinSet::new();
        for number in 0..50 {
            let mut sender = sender.clone();
            calls.spawn(async move {
                let body = Full::new(Bytes::from(format!("{number},1")));
                let request = Request::post(format!("http://{address}/invoke/add")).body(body).unwrap();
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
    let daemon = Daemon::shared(&["--source", "model", "--http-streams", "7"]);
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

/// A stream whose body nobody wants ends without a reset until its answer is there: curl up to 8.0 takes the reset for a failure
/// (its error 92), and never shows the status.
#[test]
fn an_answer_to_a_body_that_nobody_wants_arrives_whole() {
    let daemon = Daemon::shared(&["--source", "model", "--limits-body", "1KiB"]);
    let address = daemon.address();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = [("/invoke/add", StatusCode::PAYLOAD_TOO_LARGE), ("/no/such/route", StatusCode::NOT_FOUND)];
    executor.block_on(async {
        for (path, status) in refused.into_iter().cycle().take(20) {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            // Of unknown length, so that it is not refused for its head alone.
            let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 8 << 10])));
            let (taken, all) = (Arc::new(AtomicUsize::new(0)), 64);
            let pieces = std::iter::repeat_with(piece).take(all);
            let counted = taken.clone();
            let pieces = futures_util::stream::iter(pieces).inspect(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
            });
            let request = Request::post(format!("http://{address}{path}")).body(StreamBody::new(pieces)).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), status);
            response.into_body().collect().await.unwrap();
            // What was refused is taken to its end.
            for _ in 0..500 {
                if taken.load(Ordering::Relaxed) == all {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(taken.load(Ordering::Relaxed), all, "{path}");
        }
    });
}

/// What nobody wants is not read for ever.
#[test]
fn a_body_that_nobody_wants_is_cut_off_after_a_megabyte() {
    const PIECE: usize = 8 << 10;
    let daemon = Daemon::shared(OPTIONS);
    let address = daemon.address();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let endless = std::iter::repeat_with(move || {
            counted.fetch_add(PIECE, Ordering::Relaxed);
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; PIECE])))
        });
        let body = StreamBody::new(futures_util::stream::iter(endless));
        let request = Request::post(format!("http://{address}/no/such/route")).body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        // The client has let go of the body when nobody else holds what counts it.
        for _ in 0..1000 {
            if Arc::strong_count(&taken) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Arc::strong_count(&taken), 1, "the stream was not reset");
        // What is on the way comes on top: a window, and what the client holds ready.
        let taken = taken.load(Ordering::Relaxed);
        assert!((1 << 20..2 << 20).contains(&taken), "{taken} bytes");
    });
}
