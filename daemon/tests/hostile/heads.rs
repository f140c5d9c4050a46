//! Request heads that two servers may read in two ways.

use crate::prelude::*;

/// The answer to a request, with a second one behind it that nobody may take for one.
fn refused(daemon: &Daemon, head: &str) -> Response {
    let hidden = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = daemon.send(format!("{head}\r\n\r\n{hidden}").as_bytes());
    let (response, rest) = Response::parse(&answer);
    assert_eq!(String::from_utf8_lossy(rest), "", "behind the answer to {head:?}");
    assert_eq!(response.header("connection"), Some("close"), "{head:?}: {response:?}");
    response
}

#[test]
fn ambiguous_heads_are_refused_and_end_the_connection() {
    let daemon = Daemon::shared(&[]);
    for head in [
        "GET /healthz HTTP/1.1\r\nhost: a b",
        "GET /healthz HTTP/1.1\r\nhost: localhost@evil.example",
        "GET /healthz HTTP/1.1\r\nhost: localhost/x",
        "GET * HTTP/1.1\r\nhost: localhost",
        "GET http://me@localhost/healthz HTTP/1.1\r\nhost: localhost",
        "GET ftp://localhost/healthz HTTP/1.1\r\nhost: localhost",
        "GET localhost:80 HTTP/1.1\r\nhost: localhost",
        "POST /fn/echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked",
        "POST /fn/echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked, chunked",
        "POST /fn/echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
    ] {
        refused(&daemon, head).expect_problem(400, "bad-request");
    }
}

/// What the parser refuses before there is a request.
#[test]
fn unreadable_heads_are_problems_too() {
    let daemon = Daemon::shared(&[]);
    let request = |fields: &str| format!("POST /fn/echo HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n\r\n");
    let (many, large) = ("x: y\r\n".repeat(101), format!("x: {}", "y".repeat(100_000)));
    for (bytes, status, kind) in [
        ("nonsense\r\n\r\n".into(), 400, "bad-request"),
        (request("bad header"), 400, "bad-request"),
        (request("content-length: -1"), 400, "bad-request"),
        (request("transfer-encoding: gzip"), 400, "bad-request"),
        (request("content-length: 18446744073709551615"), 413, "body-too-large"),
        (request("content-length: 18446744073709551613"), 413, "body-too-large"),
        (request(&many), 431, "head-too-large"),
        (request(&large), 431, "head-too-large"),
    ] {
        let answer = daemon.send(bytes.as_bytes());
        let (response, rest) = Response::parse(&answer);
        response.expect_problem(status, kind);
        assert_eq!(rest, b"");
    }
    // Behind an answer it may be a function's bytes that go out, so there a refusal has no body.
    let after = daemon.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nnonsense\r\n\r\n");
    let (first, rest) = Response::parse(&after);
    assert_eq!((first.text(), Response::parse(rest).0.status), ("ok\n", 400));
}
