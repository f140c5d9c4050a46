//! HTTP/2 with prior knowledge, on the port that speaks HTTP/1.1.

use std::io::{Read, Write};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
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
