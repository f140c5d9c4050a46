//! Connections that are silent, slow or too many.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::daemon::limited;
use crate::prelude::*;

const OPTIONS: &[&str] = &["--http-header-timeout 1s --http-body-timeout 1s"];

/// What the options above say.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends these bytes and nothing more, and reads until the daemon closes the connection, no sooner than at its timeout.
fn stay_silent_after(daemon: &Daemon, bytes: &[u8]) -> Vec<u8> {
    let started = Instant::now();
    let answer = daemon.send(bytes);
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
    answer
}

#[test]
fn a_connection_without_a_complete_head_is_closed() {
    let daemon = Daemon::shared(OPTIONS);
    for bytes in [
        &b""[..],
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ",
    ] {
        let answer = stay_silent_after(&daemon, bytes);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_head_that_comes_too_slowly_closes_the_connection() {
    let daemon = Daemon::shared(OPTIONS);
    let mut stream = daemon.connect();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let started = Instant::now();
    for byte in b"GET /healthz HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'a')) {
        let closed = stream.write_all(&[*byte]).is_err() || stream.read(&mut [0; 512]).is_ok();
        if closed {
            break;
        }
        assert!(started.elapsed() < 20 * TIMEOUT, "never closed");
    }
    assert!(started.elapsed() >= TIMEOUT);
}

#[test]
fn an_idle_connection_is_closed() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(read_to_end(&mut daemon.idle_connection()), b"");
}

#[test]
fn a_body_that_does_not_come_times_out() {
    let daemon = Daemon::shared(OPTIONS);
    let bytes = b"POST /invoke/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n12345";
    let answer = stay_silent_after(&daemon, bytes);
    let (response, rest) = Response::parse(&answer);
    response.expect_problem(408, "body-too-slow");
    assert_eq!(rest, b"");
}

#[test]
fn a_body_that_breaks_off_harms_nobody_else() {
    let daemon = Daemon::shared(OPTIONS);
    let body = b"POST /invoke/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n12345";
    daemon.connect().write_all(body).unwrap();
    assert_eq!(daemon.post("/invoke/echo", "x").output(), "x");
}

#[test]
fn connections_over_the_limit_wait_for_others_to_close() {
    let daemon = Daemon::start(&["--http-connections 2"]);
    let [first, _second] = [(); 2].map(|()| daemon.idle_connection());
    let mut third = daemon.begin("/healthz");
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0; 1]).is_err(), "answered before its turn");
    drop(first);
    third.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    assert_eq!(answer(&mut third).status, 200);
}

#[test]
fn the_size_of_a_head_and_the_number_of_headers_are_bounded() {
    let daemon = Daemon::shared(OPTIONS);
    let status = |headers: &[&str]| daemon.get_with("/healthz", headers).status;
    let long = |length: usize| format!("x: {}", "a".repeat(length));
    assert_eq!(status(&[&long(60 << 10)]), 200);
    assert_eq!(status(&[&long(65 << 10)]), 431);
    // `host` and `connection` are there already.
    assert_eq!(status(&["x: y"; 98]), 200);
    assert_eq!(status(&["x: y"; 99]), 431);
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let daemon = Daemon::with_guests(&["--http-write-timeout 1s --http-connections 1"]);
    let mut greedy = daemon.connect();
    // More than the system holds for a connection, so that the daemon has to wait for its reader.
    greedy.write_all(&b"GET /fn/pour HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(16)).unwrap();
    let started = Instant::now();
    // There is room for one connection: this answer comes once the other has been closed.
    assert_eq!(daemon.get("/healthz").status, 200);
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let daemon = Daemon::start_command(limited("-Sn 40").args(["--source", "model"]));
    let _connections = [(); 80].map(|()| daemon.idle_connection());
}
