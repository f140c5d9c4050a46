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
