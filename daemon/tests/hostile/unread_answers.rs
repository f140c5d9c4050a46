//! Clients that ask and then read nothing, or next to nothing.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::host_memory::peak_mebibytes;
use crate::prelude::*;

/// What `/fn/pour` answers.
const POURED: usize = 4 << 20;

/// A connection of HTTP/2 that grants each stream this window, and answers PING.
async fn connect(daemon: &Daemon, window: u32) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    let (sender, connection) =
        builder.initial_stream_window_size(window).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, path: &str, body: Vec<u8>) -> Response<Incoming> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
    let request = request.body(Full::new(body.into())).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// As `until`, while connections go on being served.
async fn until_async(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST_WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {LONGEST_WAIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Leaves out those that have been cut off.
fn leave_cut(answers: &mut Vec<Response<Incoming>>) {
    answers.retain_mut(|answer| !matches!(answer.frame().now_or_never(), Some(Some(Err(_)))));
}

#[test]
fn a_call_ends_at_its_deadline_although_its_client_reads_nothing() {
    const CALLS: u8 = 8;
    let daemon = Daemon::start(&["--limits-wall 1s --http-write-timeout 1h"]);
    block_on(async {
        let mut sender = connect(&daemon, 0).await;
        let mut answers = Vec::new();
        for _ in 0..CALLS {
            // More than the daemon takes from a guest before anybody reads.
            answers.push(ask(&mut sender, "/fn/http-echo", vec![b'x'; 1 << 20]).await);
        }
        until_async("all calls have ended at their deadline", || {
            (daemon.calls("http-echo", "timeout"), daemon.in_flight()) == (f64::from(CALLS), 0.0)
        })
        .await;
    });
}

#[test]
fn a_stream_that_nobody_reads_is_reset_and_the_others_on_its_connection_go_on() {
    let daemon = Daemon::with_guests(&["--http-write-timeout 1s"]);
    block_on(async {
        let mut sender = connect(&daemon, 64 << 10).await;
        let started = Instant::now();
        let mut unread = ask(&mut sender, "/fn/pour", vec![]).await;
        // Other answers pass on the same connection all the while.
        until_async("the connection has outlived the stream", || started.elapsed() > Duration::from_secs(4)).await;
        let hello = ask(&mut sender, "/fn/hello-http", vec![]).await;
        assert_eq!(hello.collect().await.unwrap().to_bytes(), "Hello, World!\n");
        let mut read = 0;
        let broken = loop {
            match unread.frame().await {
                Some(Ok(frame)) => read += frame.into_data().unwrap().len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && read < POURED, "{read} bytes");
    });
}

#[test]
fn a_client_that_reads_a_little_all_the_time_is_cut_off() {
    const ANSWERS: usize = 16;
    let daemon = Daemon::with_guests(&["--http-write-timeout 1s --http-write-rate 100MiB"]);
    let mut slow = daemon.connect();
    slow.write_all(&b"GET /fn/pour HTTP/1.1\r\nhost: a\r\n\r\n".repeat(ANSWERS)).unwrap();
    let (mut read, mut piece) = (0, vec![0; 16 << 10]);
    // The connection may be reset.
    while let Ok(count @ 1..) = slow.read(&mut piece) {
        read += count;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(read < ANSWERS * POURED, "read all {read} bytes");
}

#[test]
fn the_slowest_are_cut_off_when_too_many_bytes_wait() {
    const STREAMS: usize = 10;
    let daemon = Daemon::with_guests(&["--http-buffered 16MiB --http-write-timeout 1h"]);
    block_on(async {
        let mut sender = connect(&daemon, 0).await;
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            answers.push(ask(&mut sender, "/fn/pour", vec![]).await);
        }
        // Its answer is the newest, so it is not the slowest.
        assert_eq!(daemon.get("/fn/pour").body.len(), POURED);
        // No more than four of them fit.
        until_async("the slowest are cut off", || {
            leave_cut(&mut answers);
            answers.len() <= 4
        })
        .await;
        assert!(!answers.is_empty(), "more were cut off than necessary");
    });
    assert!(daemon.log().contains("(`http.buffered`)"), "{}", daemon.log());
}

#[test]
fn what_waits_to_be_sent_is_bounded_in_memory() {
    const STREAMS: usize = 150;
    let daemon = Daemon::with_guests(&["--http-buffered 64MiB --http-write-timeout 1h --http-streams 200"]);
    block_on(async {
        let mut sender = connect(&daemon, 0).await;
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            answers.push(ask(&mut sender, "/fn/pour", vec![]).await);
        }
    });
    // Unbounded, the answers alone are 600 MiB.
    let peak = peak_mebibytes(&daemon);
    assert!(peak < 450, "{peak} MiB");
    println!("{STREAMS} unread answers of 4 MiB: a peak of {peak} MiB");
}

#[test]
fn streamed_answers_count_too() {
    const STREAMS: usize = 80;
    let daemon = Daemon::with_guests(&["--http-buffered 1MiB --http-write-timeout 1h"]);
    block_on(async {
        let mut sender = connect(&daemon, 0).await;
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            answers.push(ask(&mut sender, "/fn/misbehave/half", vec![]).await);
        }
        // The guest writes 80 KiB each time.
        until_async("most are cut off", || {
            leave_cut(&mut answers);
            answers.len() <= STREAMS / 2
        })
        .await;
    });
}

#[test]
fn a_form_ends_early_when_its_results_wait_for_too_much_room() {
    let daemon = Daemon::start(&["--http-buffered 1MiB"]);
    let form = format!("function_name=echo&num_calls=100&input={}", "x".repeat(64 << 10));
    let report = daemon.request("POST", "/api/wasm", &["content-type: application/x-www-form-urlencoded"], form).json();
    assert_eq!(report["reason"], "too many answers wait to be sent (`http.buffered`)");
    assert_eq!(report["results"].as_array().unwrap().len(), 8, "half of the room is for answers in the making");
}

#[test]
fn over_http1_too_the_slowest_are_cut_off() {
    const CONNECTIONS: usize = 40;
    let daemon = Daemon::with_guests(&["--http-buffered 16MiB --http-write-timeout 1h"]);
    let unread: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = daemon.connect();
            // So many that the system does not hold them all.
            stream.write_all(&b"GET /fn/pour HTTP/1.1\r\nhost: a\r\n\r\n".repeat(16)).unwrap();
            stream
        })
        .collect();
    let open = || daemon.metric("nebula_connections", &[]);
    until("most are closed", || open() <= 6.0);
    assert_eq!(daemon.get("/fn/pour").body.len(), POURED);
    drop(unread);
}

#[test]
fn an_idle_connection_of_http2_is_closed_although_it_answers_ping() {
    let daemon = Daemon::with_guests(&["--http-idle 2s"]);
    block_on(async {
        let mut sender = connect(&daemon, 64 << 10).await;
        // A stream keeps it open for longer.
        let slept = ask(&mut sender, "/invoke/sleeper?input=4000", vec![]).await;
        slept.collect().await.unwrap();
        until_async("it is closed", || sender.is_closed()).await;
    });
}
