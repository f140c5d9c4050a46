//! Malformed, strange and hostile requests: each gets an answer, and the daemon goes on.

use crate::prelude::*;

fn status(daemon: &Daemon, bytes: &str) -> u16 {
    Response::parse(&daemon.send(bytes.as_bytes())).0.status
}

#[test]
fn a_request_has_one_host() {
    let daemon = Daemon::shared(&[]);
    for (request, expected) in [
        ("GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", 400),
        ("GET http://a/healthz HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 200),
        ("GET http://a/healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(status(&daemon, request), expected, "{request:?}");
    }
}

/// With both lengths only the chunks count, and the connection ends: nothing behind them is taken for a request.
/// Source: RFC 9112, section 6.3, item 3.
#[test]
fn conflicting_lengths_cannot_smuggle_a_request() {
    let daemon = Daemon::shared(&[]);
    for lengths in [
        "content-length: 2\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "content-length: 100\r\ntransfer-encoding: chunked\r\n",
    ] {
        let request = format!(
            "POST /fn/echo HTTP/1.1\r\nhost: localhost\r\n{lengths}\r\n2\r\nhi\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
        );
        let answer = daemon.send(request.as_bytes());
        let (response, rest) = Response::parse(&answer);
        assert!(response.status == 400 || response.text() == "hi", "{response:?}");
        assert_eq!(rest, b"", "{lengths}");
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let daemon = Daemon::shared(&[]);
    for lengths in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: -1\r\n",
        "content-length: 1x\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, gzip\r\n",
    ] {
        let request = format!("POST /fn/echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lengths}\r\nhi");
        assert_eq!(status(&daemon, &request), 400, "{lengths}");
    }
    let request =
        "POST /fn/echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n";
    assert_eq!(status(&daemon, request), 400, "a chunk without a length");
}

#[test]
fn no_path_makes_the_daemon_fail() {
    let daemon = Daemon::shared(&[]);
    let long = "a".repeat(50_000);
    let short = "// /// /%ff /% /%00 /.. /. /? /??a=b /invoke /invoke/ /invoke// /invoke/%ff /invoke/../x /invoke/..%2fx \
                 /invoke/. /invoke/add/ /invoke/add? /invoke/add?input /invoke/add?%ff=1 /invoke/add?input=%ff \
                 /invoke/a%20b /invoke/\u{e4} /fn /fn/ /fn// /fn/%ff /api /api/ /api// /api/%ff/1 /wasm/ /functions/ \
                 /functions/../add /functions/%ff /metrics/ /metrics/x";
    let long =
        ["/", "/invoke/", "/fn/", "/functions/", "/invoke/hello-world?name="].map(|path| path.to_owned() + &long);
    let many = format!("/{}", "a/".repeat(20_000));
    for path in short.split(' ').chain(long.iter().map(String::as_str)).chain([&*many]) {
        let shown: String = path.chars().take(40).collect();
        let answer = daemon.send(&request("GET", path, &[], b""));
        let status = Response::parse(&answer).0.status;
        // Refusing its input is what `add` does without one.
        let refused = status == 500 && path.starts_with("/invoke/add");
        assert!(matches!(status, 200 | 400 | 404 | 405) || refused, "{status} for {shown}");
    }
}

#[test]
fn a_path_is_decoded_once() {
    let daemon = Daemon::shared(&[]);
    assert_eq!(daemon.get("/api/echo/a%2Fb%2520c").output(), "a/b%20c");
    assert_eq!(daemon.get("/api/echo/a/b/c").output(), "a/b/c");
    assert_eq!(daemon.get("/api/%65cho/x").output(), "x");
}

#[test]
fn garbage_is_refused() {
    let daemon = Daemon::shared(&[]);
    // A TLS client's first words.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for bytes in [
        &hello[..],
        b"\0\0\0\0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        let answer = daemon.send(bytes);
        assert!(answer.is_empty() || Response::parse(&answer).0.status == 400, "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_request_without_a_path_is_answered() {
    let daemon = Daemon::shared(&[]);
    for line in ["CONNECT localhost:80", "OPTIONS *", "CONNECT /invoke/add"] {
        let status = status(&daemon, &format!("{line} HTTP/1.1\r\nhost: localhost:80\r\nconnection: close\r\n\r\n"));
        assert!(matches!(status, 400 | 404 | 405), "{line}: {status}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let daemon = Daemon::shared(&[]);
    let answers = daemon.send(
        b"POST /fn/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\none\
          GET /fn/hello-world HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    let (first, rest) = Response::parse(&answers);
    let (second, rest) = Response::parse(rest);
    assert_eq!((first.text(), second.text(), rest), ("one", "Hello, World!\n", &b""[..]));
}
