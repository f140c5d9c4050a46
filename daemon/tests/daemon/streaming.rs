//! Functions that speak HTTP: bodies are streamed both ways, and the energy follows in headers or trailers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request};
use tokio::sync::mpsc;

use crate::prelude::*;

/// Rare ticks keep short calls short, even on a busy machine.
const OPTIONS: &[&str] = &["--runtime-tick 1s"];

/// Room for large bodies in either direction.
const LARGE: &[&str] = &["--limits-body 8MiB --limits-stdout 5MiB"];

#[test]
fn an_answer_is_streamed_before_the_request_has_ended() {
    let daemon = Daemon::shared(OPTIONS);
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo/a%20b?k=v", &["te: trailers", "x-mine: yes"]);
    echo.send(b"first half");
    let head = echo.head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    for (name, value) in [("echo-method", "POST"), ("echo-path", "/a%20b?k=v"), ("x-mine", "yes")] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }
    assert_eq!(head.header("nebula-energy-joules"), None, "nobody knows it yet");
    assert_eq!(head.header("nebula-invocation-id").map(str::len), Some(36));
    assert_eq!(echo.take(10), b"first half");
    for piece in ["a", "b", "c"] {
        echo.send(piece.as_bytes());
        assert_eq!(echo.take(1), piece.as_bytes());
    }
    echo.end(&[]);
    let rest = echo.rest().unwrap();
    assert_eq!(rest.body, b"");
    assert_eq!(rest.trailer("echo-length"), Some("13"));
}

#[test]
fn the_energy_of_a_streamed_answer_is_in_its_trailers() {
    let daemon = Daemon::shared(OPTIONS);
    daemon.await_estimates();
    let mut echo =
        Exchange::begin(&daemon, "POST /fn/http-echo", &["te: trailers", "trailer: x-sum, nebula-invocation-id"]);
    echo.send(b"words");
    let head = echo.head();
    let announced: Vec<_> = head.headers.iter().filter(|(name, _)| name == "trailer").map(|(_, value)| value).collect();
    assert!(announced.iter().any(|names| names.contains("nebula-energy-joules")), "{head:?}");
    assert_eq!(echo.take(5), b"words");
    echo.end(&["x-sum: 42", "nebula-invocation-id: forged"]);
    let rest = echo.rest().unwrap();
    assert!(!format!("{rest:?}").contains("forged"), "{rest:?}");
    assert_eq!((rest.trailer("x-sum"), rest.trailer("echo-length")), (Some("42"), Some("5")), "{rest:?}");
    let joules: f64 = rest.trailer("nebula-energy-joules").unwrap_or_else(|| panic!("{rest:?}")).parse().unwrap();
    assert!(joules > 0.0, "{rest:?}");
    let timing = rest.trailer("server-timing").unwrap();
    assert!(timing.contains("queue;dur=") && timing.contains("execution;dur="), "{timing}");
    let id = head.header("nebula-invocation-id").unwrap();
    let call = daemon.get(&format!("/invocations/{id}")).json();
    assert_has(&call, &json!({ "function": "http-echo", "outcome": "ok" }));
}

#[test]
fn trailers_are_sent_only_on_request() {
    let daemon = Daemon::shared(OPTIONS);
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(b"words");
    assert_eq!(echo.head().status, 200);
    echo.end(&[]);
    let rest = echo.rest().unwrap();
    assert_eq!((&rest.body[..], rest.trailers), (&b"words"[..], vec![]));
}

#[test]
fn the_energy_of_a_finished_answer_is_in_its_headers() {
    let daemon = Daemon::shared(OPTIONS);
    until("a window is closed", || {
        let response = daemon.get("/fn/hello-http");
        assert_eq!(response.header("nebula-energy-source"), Some("model"), "{response:?}");
        response.header("nebula-energy-joules").and_then(|joules| joules.parse().ok()) > Some(0.0)
    });
    let mut short = Exchange::ask(&daemon, "/fn/http-echo", &["te: trailers"]);
    let head = short.head();
    assert!(head.header("nebula-energy-joules").is_some(), "{head:?}");
    assert_eq!(short.rest().unwrap().trailer("echo-length"), Some("0"));
}

/// This many bytes, no two neighbours alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index % 251) as u8).collect()
}

/// Sends a body of this length and reads its echo at the same time.
fn echo(daemon: &Daemon, length: usize) -> Result<Vec<u8>, BrokenOff> {
    let body = bytes(length);
    let mut echo = Exchange::begin(daemon, "POST /fn/http-echo", &[]);
    let mut writer = echo.writer();
    thread::scope(|scope| {
        scope.spawn(move || {
            body.chunks(60_000).for_each(|piece| writer.send(piece));
            writer.end(&[]);
        });
        assert_eq!(echo.head().status, 200);
        echo.rest().map(|rest| rest.body)
    })
}

#[test]
fn an_answer_over_its_limit_breaks_off() {
    const MOST: usize = 5 << 20;
    let daemon = Daemon::shared(LARGE);
    assert!(echo(&daemon, MOST).unwrap() == bytes(MOST));
    let BrokenOff(part) = echo(&daemon, MOST + 1).unwrap_err();
    assert!(part == bytes(MOST + 1)[..part.len()], "what came is right as far as it goes");
    let before = daemon.calls("http-echo", "error");
    assert!(echo(&daemon, MOST + (2 << 20)).is_err());
    until("it is counted as the function's failure", || daemon.calls("http-echo", "error") > before);
}

#[test]
fn a_request_body_over_its_limit_breaks_the_answer_off() {
    let daemon = Daemon::shared(&["--runtime-tick 1s --limits-body 1KiB"]);
    assert_eq!(echo(&daemon, 1024).unwrap(), bytes(1024));
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(&bytes(1024));
    assert_eq!((echo.head().status, echo.take(1024)), (200, bytes(1024)));
    echo.send(b"x");
    echo.end(&[]);
    assert!(echo.rest().is_err());
}

#[test]
fn a_client_that_disconnects_ends_its_call_which_is_charged() {
    let daemon = Daemon::shared(&[]);
    let cpu = || daemon.metric("nebula_function_cpu_seconds_total", &[("function", "misbehave")]);
    let figures = || (daemon.calls("misbehave", "cancelled"), daemon.active_joules("misbehave"), cpu());
    let before = figures();
    let mut caller = Exchange::ask(&daemon, "/fn/misbehave/endless", &[]);
    assert_eq!((caller.head().status, caller.take(4096).len()), (200, 4096));
    drop(caller);
    until("it is cancelled and charged", || {
        let now = figures();
        now.0 >= before.0 + 1.0 && now.1 > before.1 && now.2 > before.2
    });
}

#[test]
fn a_call_that_awaits_a_body_ends_when_its_client_disconnects() {
    let daemon = Daemon::start(&[]);
    let ended = || daemon.metric("nebula_invocations_total", &[("function", "http-echo")]);
    let before = ended();
    let mut caller = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    caller.send(b"half");
    assert_eq!((caller.head().status, caller.take(4)), (200, b"half".to_vec()));
    assert_eq!(ended(), before);
    drop(caller);
    until("it has ended", || ended() == before + 1.0);
}

#[test]
fn a_guest_that_fails_before_its_answer_begins_is_a_problem() {
    let daemon = Daemon::shared(OPTIONS);
    for (path, status, kind, why) in [
        ("silent", 502, "no-answer", "without an answer"),
        ("refuse", 502, "guest-error", "ErrorCode::InternalError(None)"),
        ("brief", 500, "trap", "unreachable"),
        ("unfinished", 502, "guest-error", "an answer without its end"),
    ] {
        let response = daemon.get(&format!("/fn/misbehave/{path}"));
        let problem = response.expect_problem(status, kind);
        assert_detail(&problem, why);
        assert!(problem["work"]["cpu_ns"].as_u64() > Some(0), "{problem}");
        assert_eq!(response.header("nebula-invocation-id"), problem["invocation_id"].as_str());
    }
    assert_eq!(daemon.get("/fn/hello-http").text(), "Hello, World!\n", "others are not harmed");
}

#[test]
fn a_guest_that_fails_during_its_answer_breaks_it_off() {
    let daemon = Daemon::shared(OPTIONS);
    let traps = daemon.calls("misbehave", "trap");
    for path in ["late", "half"] {
        let mut caller = Exchange::ask(&daemon, &format!("/fn/misbehave/{path}"), &["te: trailers"]);
        assert_eq!(caller.head().status, 200);
        let BrokenOff(part) = caller.rest().unwrap_err();
        assert!(part.len() <= 20 * 4096, "{path}: {}", part.len());
    }
    until("one of them is counted as a trap", || daemon.calls("misbehave", "trap") >= traps + 1.0);
}

#[test]
fn a_deadline_during_an_answer_breaks_it_off() {
    let daemon = Daemon::start(&["--limits-wall 2s"]);
    let before = daemon.calls("http-echo", "timeout");
    let mut caller = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    caller.send(b"half");
    assert_eq!((caller.head().status, caller.take(4)), (200, b"half".to_vec()));
    assert!(caller.rest().is_err());
    until("the call is counted", || daemon.calls("http-echo", "timeout") == before + 1.0);
}

#[test]
fn an_answer_to_head_has_no_body_and_its_call_succeeds() {
    let daemon = Daemon::start(&[]);
    let answer = daemon.send(&request("HEAD", "/fn/hello-http", &[], b""));
    assert!(answer.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    let (response, _) = Response::parse(&answer);
    assert_eq!((response.status, response.header("content-length")), (200, Some("14")));
    let all = || daemon.metric("nebula_invocations_total", &[("function", "hello-http")]);
    until("the call is counted", || (daemon.calls("hello-http", "ok"), all()) == (1.0, 1.0));
}

/// A body that is sent piece by piece.
struct Pieces(mpsc::Receiver<Frame<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

#[test]
fn http2_streams_both_ways_with_trailers() {
    let daemon = Daemon::shared(OPTIONS);
    daemon.await_estimates();
    block_on(async {
        let mut sender = http2_connection(&daemon).await;
        let (pieces, body) = mpsc::channel(1);
        let request = Request::post(format!("{}/fn/http-echo?k=v", daemon.url())).body(Pieces(body)).unwrap();
        let answer = sender.send_request(request);
        pieces.send(Frame::data(Bytes::from("half"))).await.unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["echo-path"].to_str().unwrap()), (200, "/?k=v"));
        assert!(!answer.headers().contains_key("nebula-energy-joules"));
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "half", "before the request is at its end");
        pieces.send(Frame::data(Bytes::from(" and half"))).await.unwrap();
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("42"))]);
        pieces.send(Frame::trailers(trailers)).await.unwrap();
        drop(pieces);
        let rest = answer.collect().await.unwrap();
        let trailer = |name: &str| rest.trailers().unwrap().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!((trailer("x-sum"), trailer("echo-length")), ("42".into(), "13".into()));
        assert!(trailer("nebula-energy-joules").parse::<f64>().unwrap() > 0.0);
        assert_eq!(rest.to_bytes(), " and half");
    });
}

#[test]
fn over_http2_failed_answers_are_reset_and_disconnected_callers_noticed() {
    let daemon = Daemon::shared(&[]);
    let cancelled = || daemon.calls("misbehave", "cancelled");
    let before = cancelled();
    block_on(async {
        let mut sender = http2_connection(&daemon).await;
        let mut ask = |path: &str| {
            let uri = format!("http://{}{path}", daemon.address());
            sender.send_request(Request::get(uri).body(Empty::<Bytes>::new()).unwrap())
        };
        // The reset may overtake the head.
        if let Ok(late) = ask("/fn/misbehave/late").await {
            assert!(late.collect().await.is_err(), "not a complete answer");
        }
        let mut endless = ask("/fn/misbehave/endless").await.unwrap();
        assert!(endless.frame().await.unwrap().is_ok());
        drop(endless);
        // The connection serves on.
        let hello = ask("/fn/hello-http").await.unwrap();
        assert_eq!(hello.collect().await.unwrap().to_bytes(), "Hello, World!\n");
    });
    until("the stream's end cancels the call", || cancelled() > before);
}
