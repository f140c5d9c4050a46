//! Functions that answer HTTP requests themselves: bodies go both ways as they come, and the energy comes in time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::client::Response;
use crate::daemon::Daemon;
use crate::exchange::{BrokenOff, Exchange};
use crate::waiting::until;

/// Ticks are rare, so that calls that are short stay so on a machine that is busy.
const OPTIONS: &[&str] = &["--source", "model", "--runtime-tick", "1s"];

/// Room for large bodies in either direction.
const LARGE: &[&str] = &["--source", "model", "--limits-body", "8MiB", "--limits-stdout", "5MiB"];

/// How often the function's calls have ended so.
fn count(daemon: &Daemon, function: &str, outcome: &str) -> f64 {
    daemon.metrics().sum("nebula_invocations_total", &[("function", function), ("outcome", outcome)])
}

#[test]
fn an_echo_is_read_before_the_request_is_at_its_end() {
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
fn trailers_tell_the_energy_of_an_answer_that_began_before_it_was_known() {
    let daemon = Daemon::shared(OPTIONS);
    until("a window is closed", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
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
    assert_eq!((&call["function"], &call["outcome"]), (&"http-echo".into(), &"ok".into()), "{call}");
}

#[test]
fn nobody_who_did_not_ask_gets_trailers() {
    let daemon = Daemon::shared(OPTIONS);
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(b"words");
    assert_eq!(echo.head().status, 200);
    echo.end(&[]);
    let rest = echo.rest().unwrap();
    assert_eq!((&rest.body[..], rest.trailers), (&b"words"[..], vec![]));
}

#[test]
fn headers_tell_the_energy_of_an_answer_that_is_at_its_end() {
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

/// As many bytes, no two neighbours alike.
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
fn an_answer_may_be_as_long_as_its_limit_and_not_a_byte_longer() {
    const MOST: usize = 5 << 20;
    let daemon = Daemon::shared(LARGE);
    assert!(echo(&daemon, MOST).unwrap() == bytes(MOST));
    let BrokenOff(part) = echo(&daemon, MOST + 1).unwrap_err();
    assert!(part == bytes(MOST + 1)[..part.len()], "what came is right as far as it goes");
    let before = count(&daemon, "http-echo", "error");
    assert!(echo(&daemon, MOST + (2 << 20)).is_err());
    until("it is counted as the function's failure", || count(&daemon, "http-echo", "error") > before);
}

#[test]
fn a_body_that_is_too_long_is_not_echoed_to_its_end() {
    let daemon = Daemon::shared(&["--source", "model", "--runtime-tick", "1s", "--limits-body", "1KiB"]);
    assert_eq!(echo(&daemon, 1024).unwrap(), bytes(1024));
    let mut echo = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    echo.send(&bytes(1024));
    assert_eq!((echo.head().status, echo.take(1024)), (200, bytes(1024)));
    echo.send(b"x");
    echo.end(&[]);
    assert!(echo.rest().is_err());
}

#[test]
fn a_client_that_goes_ends_its_call_which_is_charged() {
    let daemon = Daemon::shared(&["--source", "model"]);
    let account = [("function", "misbehave"), ("component", "active")];
    let energy = || daemon.metrics().sum("nebula_function_energy_joules_total", &account);
    let cpu = || daemon.metrics().sum("nebula_function_cpu_seconds_total", &[("function", "misbehave")]);
    let (cancelled, energy_before, cpu_before) = (count(&daemon, "misbehave", "cancelled"), energy(), cpu());
    let mut caller = Exchange::ask(&daemon, "/fn/misbehave/endless", &[]);
    assert_eq!((caller.head().status, caller.take(4096).len()), (200, 4096));
    drop(caller);
    until("it is cancelled", || count(&daemon, "misbehave", "cancelled") >= cancelled + 1.0);
    until("it is charged", || energy() > energy_before && cpu() > cpu_before);
}

#[test]
fn a_call_that_awaits_a_body_ends_when_its_client_goes() {
    let daemon = Daemon::start(&["--source", "model"]);
    let ended = || daemon.metrics().sum("nebula_invocations_total", &[("function", "http-echo")]);
    let before = ended();
    let mut caller = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    caller.send(b"half");
    assert_eq!((caller.head().status, caller.take(4)), (200, b"half".to_vec()));
    assert_eq!(ended(), before);
    drop(caller);
    until("it has ended", || ended() == before + 1.0);
}

#[test]
fn a_guest_that_fails_before_its_answer_is_out_is_a_problem() {
    let daemon = Daemon::shared(OPTIONS);
    for (path, status, kind, why) in [
        ("silent", 502, "no-answer", "without an answer"),
        ("refuse", 502, "guest-error", "ErrorCode::InternalError(None)"),
        ("brief", 500, "trap", "unreachable"),
        ("unfinished", 502, "guest-error", "an answer without its end"),
    ] {
        let response = daemon.get(&format!("/fn/misbehave/{path}"));
        let problem = response.problem();
        assert_eq!((response.status, &problem["type"]), (status, &format!("urn:nebula:{kind}").into()), "{path}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{problem}");
        assert!(problem["work"]["cpu_ns"].as_u64() > Some(0), "{problem}");
        assert_eq!(response.header("nebula-invocation-id"), problem["invocation_id"].as_str());
    }
    assert_eq!(daemon.get("/fn/hello-http").text(), "Hello, World!\n", "others are not harmed");
}

#[test]
fn a_guest_that_fails_while_it_answers_has_no_complete_answer() {
    let daemon = Daemon::shared(OPTIONS);
    let traps = count(&daemon, "misbehave", "trap");
    for path in ["late", "half"] {
        let mut caller = Exchange::ask(&daemon, &format!("/fn/misbehave/{path}"), &["te: trailers"]);
        assert_eq!(caller.head().status, 200);
        let BrokenOff(part) = caller.rest().unwrap_err();
        assert!(part.len() <= 20 * 4096, "{path}: {}", part.len());
    }
    assert!(count(&daemon, "misbehave", "trap") >= traps + 1.0);
}

#[test]
fn a_deadline_in_the_middle_of_an_answer_breaks_it_off() {
    let daemon = Daemon::start(&["--source", "model", "--limits-wall", "2s"]);
    let before = count(&daemon, "http-echo", "timeout");
    let mut caller = Exchange::begin(&daemon, "POST /fn/http-echo", &[]);
    caller.send(b"half");
    assert_eq!((caller.head().status, caller.take(4)), (200, b"half".to_vec()));
    assert!(caller.rest().is_err());
    assert_eq!(count(&daemon, "http-echo", "timeout"), before + 1.0);
}

#[test]
fn an_answer_to_head_has_no_body_and_its_call_is_no_failure() {
    let daemon = Daemon::start(&["--source", "model"]);
    let calls = || {
        (
            count(&daemon, "hello-http", "ok"),
            daemon.metrics().sum("nebula_invocations_total", &[("function", "hello-http")]),
        )
    };
    let before = calls();
    let answer = daemon.send(&crate::client::request("HEAD", "/fn/hello-http", &[], b""));
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert_eq!(answer.len(), end + 4, "{}", String::from_utf8_lossy(&answer));
    let (response, _) = Response::parse(&answer);
    assert_eq!((response.status, response.header("content-length")), (200, Some("14")));
    until("the call is counted", || calls() == (before.0 + 1.0, before.1 + 1.0));
}

/// A body whose pieces are sent one by one.
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
    until("a window is closed", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    let address = daemon.address();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (pieces, body) = mpsc::channel(1);
        let request = Request::post(format!("http://{address}/fn/http-echo?k=v")).body(Pieces(body)).unwrap();
        let answer = sender.send_request(request);
        pieces.send(Frame::data(Bytes::from("half"))).await.unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["echo-path"]),
            (200, &HeaderValue::from_static("/?k=v"))
        );
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
fn over_http2_an_answer_that_fails_is_reset_and_a_caller_that_goes_is_noticed() {
    let daemon = Daemon::shared(&["--source", "model"]);
    let cancelled = || count(&daemon, "misbehave", "cancelled");
    let before = cancelled();
    let address = daemon.address();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut ask = |path: &str| {
            sender.send_request(Request::get(format!("http://{address}{path}")).body(Empty::<Bytes>::new()).unwrap())
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
