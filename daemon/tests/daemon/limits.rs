//! The limits of a call, each at its edge: what the limit allows works, and one more does not.

use std::thread;

use crate::client::Response;
use crate::daemon::Daemon;

/// 2 MiB are 32 pages of memory.
const OPTIONS: &[&str] = &[
    "--source",
    "model",
    "--limits-wall",
    "400ms",
    "--limits-memory",
    "2MiB",
    "--limits-stdout",
    "10",
    "--limits-stderr",
    "8",
    "--limits-body",
    "16",
];

#[test]
fn a_call_ends_at_its_deadline_and_has_its_energy() {
    let daemon = Daemon::shared(OPTIONS);
    let response = daemon.get("/invoke/endless-loop");
    let problem = response.problem();
    assert_eq!((response.status, &problem["type"]), (504, &"urn:nebula:timeout".into()));
    assert!(problem["energy_joules"].as_f64() > Some(0.0), "{problem}");
    assert!(problem["work"]["cpu_ns"].as_u64() > Some(1_000_000), "{problem}");
    assert!(problem["timing"]["total_us"].as_u64() >= Some(400_000), "{problem}");
}

#[test]
fn a_call_that_waits_in_the_host_ends_at_its_deadline_too() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/sleeper?input=10").json()["output"], "0\n");
    let problem = daemon.get("/invoke/sleeper?input=60000").problem();
    assert_eq!(problem["status"], 504);
    assert!(problem["work"]["cpu_ns"].as_u64() < Some(300_000_000), "waiting costs nothing: {problem}");
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/memory?input=31").json()["output"], "1\n");
    assert_eq!(daemon.get("/invoke/memory?input=32").json()["output"], "-1\n");
    assert_eq!(daemon.get("/invoke/pages-32").json()["output"], "32\n");
    assert_eq!(daemon.get("/invoke/pages-33").status, 404);
    let told = "` cannot be served: cannot compile it";
    assert!(daemon.log().lines().any(|line| line.contains("pages-33") && line.contains(told)), "{}", daemon.log());
}

#[test]
fn a_table_grows_to_its_limit_and_no_further() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/table?input=99999").json()["output"], "1\n");
    assert_eq!(daemon.get("/invoke/table?input=100000").json()["output"], "-1\n");
    assert_eq!(daemon.get("/invoke/table-bomb").problem()["type"], "urn:nebula:out-of-memory");
}

#[test]
fn random_bytes_come_in_portions_that_keep_nobody_waiting() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/random?input=65536").json()["output"], "0\n");
    let problem = daemon.get("/invoke/random?input=65537").problem();
    assert_eq!(problem["type"], "urn:nebula:trap");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("exceeds limit 65536")), "{problem}");
}

#[test]
fn a_call_that_runs_out_of_memory_fails_alone() {
    let daemon = Daemon::shared(OPTIONS);
    thread::scope(|scope| {
        let bombs = scope.spawn(|| {
            for _ in 0..20 {
                let problem = daemon.get("/invoke/memory-bomb").problem();
                assert_eq!(problem["type"], "urn:nebula:out-of-memory");
                assert!(problem["work"]["cpu_ns"].as_u64() > Some(0));
            }
        });
        loop {
            assert_eq!(daemon.get("/invoke/pages-32").json()["output"], "32\n");
            assert_eq!(daemon.post("/invoke/echo", "neighbour").json()["output"], "neighbour");
            if bombs.is_finished() {
                break;
            }
        }
    });
}

#[test]
fn output_may_be_as_long_as_its_limit() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.post("/invoke/echo", "0123456789").json()["output"], "0123456789");
    let problem = daemon.post("/invoke/echo", "0123456789a").problem();
    assert_eq!((&problem["status"], &problem["type"]), (&500.into(), &"urn:nebula:output-too-large".into()));
}

#[test]
fn of_a_log_beyond_its_limit_the_end_is_kept() {
    let daemon = Daemon::shared(OPTIONS);
    let log = |written: &str| daemon.post("/invoke/complain", written).problem()["stderr"].clone();
    assert_eq!(log("01234567"), "01234567");
    assert_eq!(log("012345678"), "12345678");
}

#[test]
fn a_body_may_be_as_long_as_its_limit() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.post("/invoke/add", "10000000,0000001").json()["output"], "10000001\n");
    let problem = daemon.post("/invoke/add", "10000000,00000001").problem();
    assert_eq!((&problem["status"], &problem["type"]), (&413.into(), &"urn:nebula:body-too-large".into()));
}

#[test]
fn a_chunked_body_may_be_as_long_as_its_limit() {
    let daemon = Daemon::shared(OPTIONS);
    let send = |last: &str| {
        let head = "POST /invoke/add HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = format!("8\r\n10000000\r\n{:x}\r\n{last}\r\n0\r\n\r\n", last.len());
        let answer = daemon.send(&[head.as_bytes(), body.as_bytes()].concat());
        Response::parse(&answer).0
    };
    assert_eq!(send(",0000001").json()["output"], "10000001\n");
    assert_eq!(send(",00000001").problem()["status"], 413);
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_it_comes() {
    let daemon = Daemon::shared(OPTIONS);
    let head = "POST /invoke/add HTTP/1.1\r\nhost: a\r\ncontent-length: 17\r\n\r\n";
    assert_eq!(Response::parse(&daemon.send(head.as_bytes())).0.problem()["status"], 413);
}

#[test]
fn a_guest_hands_the_host_only_so_much_at_once() {
    let daemon = Daemon::shared(&["--source", "model", "--limits-stdout", "1MiB", "--limits-memory", "64MiB"]);
    // 48 bytes each of the 2 MiB that this limit of output allows.
    assert_eq!(daemon.post("/invoke/wait-for-many", "10000").json()["output"], "0\n");
    // WASI's error number 48: not enough memory.
    assert_eq!(daemon.post("/invoke/wait-for-many", "100000").json()["output"], "48\n");
}
