//! The limits of a call: exactly what a limit allows works, and one more does not.

use std::thread;

use crate::prelude::*;

/// 2 MiB are 32 pages of memory.
const OPTIONS: &[&str] =
    &["--limits-wall 400ms --limits-memory 2MiB --limits-stdout 10 --limits-stderr 8 --limits-body 16"];

#[test]
fn a_call_ends_at_its_deadline_and_has_its_energy() {
    let daemon = Daemon::shared(OPTIONS);
    let problem = daemon.get("/invoke/endless-loop").expect_problem(504, "timeout");
    assert!(problem["energy_joules"].as_f64() > Some(0.0), "{problem}");
    assert!(problem["work"]["cpu_ns"].as_u64() > Some(1_000_000), "{problem}");
    assert!(problem["timing"]["total_us"].as_u64() >= Some(400_000), "{problem}");

    assert_eq!(daemon.output("sleeper?input=10"), "0\n");
    let problem = daemon.get("/invoke/sleeper?input=60000").expect_problem(504, "timeout");
    assert!(problem["work"]["cpu_ns"].as_u64() < Some(300_000_000), "waiting costs nothing: {problem}");
}

#[test]
fn a_guest_may_use_what_its_limits_allow_and_no_more() {
    let daemon = Daemon::shared(OPTIONS);
    for (call, output) in [
        ("memory?input=31", "1\n"),
        ("memory?input=32", "-1\n"),
        ("pages-32", "32\n"),
        ("table?input=99999", "1\n"),
        ("table?input=100000", "-1\n"),
        ("random?input=65536", "0\n"),
    ] {
        assert_eq!(daemon.output(call), output, "{call}");
    }
    daemon.get("/invoke/table-bomb").expect_problem(500, "out-of-memory");
    // In portions of this size, random bytes keep nobody waiting.
    assert_detail(&daemon.get("/invoke/random?input=65537").expect_problem(500, "trap"), "exceeds limit 65536");
    assert_eq!(daemon.get("/invoke/pages-33").status, 404);
    let (log, why) = (daemon.log(), "` cannot be served: cannot compile it");
    assert!(log.lines().any(|line| line.contains("pages-33") && line.contains(why)), "{log}");
}

#[test]
fn a_call_that_runs_out_of_memory_fails_alone() {
    let daemon = Daemon::shared(OPTIONS);
    thread::scope(|scope| {
        let bombs = scope.spawn(|| {
            for _ in 0..20 {
                let problem = daemon.get("/invoke/memory-bomb").expect_problem(500, "out-of-memory");
                assert!(problem["work"]["cpu_ns"].as_u64() > Some(0));
            }
        });
        loop {
            assert_eq!(daemon.output("pages-32"), "32\n");
            assert_eq!(daemon.post("/invoke/echo", "neighbour").output(), "neighbour");
            if bombs.is_finished() {
                break;
            }
        }
    });
}

#[test]
fn outputs_logs_and_bodies_may_be_as_long_as_their_limits() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.post("/invoke/echo", "0123456789").output(), "0123456789");
    daemon.post("/invoke/echo", "0123456789a").expect_problem(500, "output-too-large");

    let log = |written: &str| daemon.post("/invoke/complain", written).problem()["stderr"].clone();
    assert_eq!(log("01234567"), "01234567");
    assert_eq!(log("012345678"), "12345678", "the end is kept");

    assert_eq!(daemon.post("/invoke/add", "10000000,0000001").output(), "10000001\n");
    daemon.post("/invoke/add", "10000000,00000001").expect_problem(413, "body-too-large");
    let chunked = |last: &str| {
        let head =
            "POST /invoke/add HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = format!("8\r\n10000000\r\n{:x}\r\n{last}\r\n0\r\n\r\n", last.len());
        Response::parse(&daemon.send(&[head.as_bytes(), body.as_bytes()].concat())).0
    };
    assert_eq!(chunked(",0000001").output(), "10000001\n");
    chunked(",00000001").expect_problem(413, "body-too-large");
    // A length that is too large is refused before the body comes.
    let announced = daemon.send(b"POST /invoke/add HTTP/1.1\r\nhost: localhost\r\ncontent-length: 17\r\n\r\n");
    Response::parse(&announced).0.expect_problem(413, "body-too-large");
}

#[test]
fn a_guest_hands_the_host_only_so_much_at_once() {
    let daemon = Daemon::shared(&["--limits-stdout 1MiB --limits-memory 64MiB"]);
    // 48 bytes each of the 2 MiB that this limit of output allows.
    assert_eq!(daemon.post("/invoke/wait-for-many", "10000").output(), "0\n");
    // WASI's error number 48: not enough memory.
    assert_eq!(daemon.post("/invoke/wait-for-many", "100000").output(), "48\n");
}

/// The answers to so many calls at once.
fn at_once(daemon: &Daemon, calls: usize, target: &str) -> Vec<Response> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..calls).map(|_| scope.spawn(|| daemon.get(target))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

/// Checks that just one of the calls was refused, and why.
fn assert_one_refused(answers: &[Response], why: &str) {
    let (passed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((passed.len(), refused.len()), (answers.len() - 1, 1));
    assert_detail(&refused[0].expect_problem(503, "busy"), why);
    assert_eq!(refused[0].header("retry-after"), Some("1"));
}

#[test]
fn calls_beyond_the_queue_are_refused() {
    let daemon = Daemon::with_guests(&["--limits-concurrency 2 --limits-queue 1"]);
    assert!(at_once(&daemon, 3, "/invoke/sleeper?input=400").iter().all(|answer| answer.status == 200));
    assert_one_refused(&at_once(&daemon, 4, "/invoke/sleeper?input=1000"), "1 calls are waiting");
    assert_eq!(daemon.metric("nebula_invocations_total", &[("outcome", "rejected")]), 1.0);
}

#[test]
fn a_call_that_waits_too_long_for_its_turn_is_refused() {
    let daemon = Daemon::with_guests(&["--limits-concurrency 1 --limits-queue-wait 500ms"]);
    assert!(at_once(&daemon, 2, "/invoke/sleeper?input=50").iter().all(|answer| answer.status == 200));
    assert_one_refused(&at_once(&daemon, 2, "/invoke/sleeper?input=2500"), "within 500ms");
}
