//! Connections that are silent, slow or too many.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::client::{Response, read_answer, read_to_end, request};
use crate::daemon::{Daemon, limited};

const OPTIONS: &[&str] = &["--source", "model", "--http-header-timeout", "1s", "--http-body-timeout", "1s"];

/// What the options above say.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends these bytes and nothing more; gives what comes until the daemon closes, which must not be before its time.
fn stay_silent_after(daemon: &Daemon, bytes: &[u8]) -> Vec<u8> {
    let started = Instant::now();
    let answer = daemon.send(bytes);
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
    answer
}

#[test]
fn a_head_that_does_not_come_closes_the_connection() {
    let daemon = Daemon::shared(OPTIONS);
    for bytes in
        [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nx: "]
    {
        let answer = stay_silent_after(&daemon, bytes);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
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
    let mut stream = daemon.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).status, 200);
    assert_eq!(read_to_end(&mut stream), b"");
}

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    let daemon = Daemon::shared(OPTIONS);
    let bytes = b"POST /invoke/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345";
    let (response, rest) = (stay_silent_after(&daemon, bytes), b"");
    let (response, after) = Response::parse(&response);
    assert_eq!((response.status, after), (408, &rest[..]));
    assert_eq!(response.problem()["type"], "urn:nebula:body-too-slow");
}

#[test]
fn a_body_that_breaks_off_is_survived() {
    let daemon = Daemon::shared(OPTIONS);
    let mut stream = daemon.connect();
    stream.write_all(b"POST /invoke/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345").unwrap();
    drop(stream);
    assert_eq!(daemon.post("/invoke/echo", "x").json()["output"], "x");
}

#[test]
fn more_connections_than_allowed_wait_for_the_others_to_close() {
    let daemon = Daemon::start(&["--source", "model", "--http-connections", "2"]);
    let answered = || {
        let mut stream = daemon.connect();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(read_answer(&mut stream).status, 200);
        stream
    };
    let (first, _second) = (answered(), answered());
    let mut third = daemon.connect();
    third.write_all(&request("GET", "/healthz", &[], b"")).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0; 1]).is_err(), "answered before its turn");
    drop(first);
    third.set_read_timeout(Some(crate::waiting::LONGEST_WAIT)).unwrap();
    assert_eq!(Response::parse(&read_to_end(&mut third)).0.status, 200);
}

#[test]
fn a_head_has_a_largest_size_and_a_largest_number_of_headers() {
    let daemon = Daemon::shared(OPTIONS);
    let status = |headers: &[&str]| {
        let answer = daemon.send(&request("GET", "/healthz", headers, b""));
        Response::parse(&answer).0.status
    };
    let long = |length: usize| format!("x: {}", "a".repeat(length));
    assert_eq!(status(&[&long(60 << 10)]), 200);
    assert_eq!(status(&[&long(65 << 10)]), 431);
    // `host` and `connection` are there already.
    assert_eq!(status(&["x: y"; 98]), 200);
    assert_eq!(status(&["x: y"; 99]), 431);
}

#[test]
fn a_client_that_takes_nothing_is_closed() {
    let daemon = Daemon::with_guests(&["--source", "model", "--http-write-timeout", "1s", "--http-connections", "1"]);
    let mut greedy = daemon.connect();
    // More than the system holds for a connection, so that the daemon has to wait for its reader.
    greedy.write_all(&b"GET /fn/pour HTTP/1.1\r\nhost: a\r\n\r\n".repeat(16)).unwrap();
    let started = Instant::now();
    // There is room for one connection: this answer comes once the other has been closed.
    assert_eq!(daemon.get("/healthz").status, 200);
    assert!(started.elapsed() >= TIMEOUT, "closed after {:?}", started.elapsed());
}

#[test]
fn a_daemon_takes_all_the_descriptors_it_may() {
    let daemon = Daemon::start_command(limited("-Sn 40").args(["--source", "model"]));
    let mut connections: Vec<_> = (0..80).map(|_| daemon.connect()).collect();
    for stream in &mut connections {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(read_answer(stream).status, 200);
    }
}
