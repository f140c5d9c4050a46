//! The end of a daemon: it drains at the first signal, and is cut at the second.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;

use rustix::process::Signal;

use crate::client::{Response, connect, read_answer, read_to_end, request};
use crate::daemon::Daemon;
use crate::waiting::until;

fn refuses_connections(address: SocketAddr) {
    until("new connections are refused", || connect(address).is_err());
}

fn runs_a_call(daemon: &Daemon) {
    until("the call runs", || daemon.metrics().sum("nebula_in_flight_invocations", &[]) >= 1.0);
}

fn running_calls_finish_after(signal: Signal) {
    let mut daemon = Daemon::with_guests(&["--source", "model"]);
    let address = daemon.address();
    let call = |target: &'static str| {
        thread::spawn(move || {
            let mut stream = connect(address).unwrap();
            stream.write_all(&request("GET", target, &[], b"")).unwrap();
            Response::parse(&read_to_end(&mut stream)).0
        })
    };
    let sleeping = call("/invoke/sleeper?input=1500");
    runs_a_call(&daemon);
    let mut probe = daemon.connect();
    probe.write_all(b"GET /readyz HTTP/1.1\r\n").unwrap();
    // The daemon has accepted the connection before the signal: it answers others that came after it.
    assert_eq!(daemon.get("/readyz").status, 200);
    daemon.signal(signal);
    refuses_connections(address);
    probe.write_all(b"host: a\r\n\r\n").unwrap();
    let probed = Response::parse(&read_to_end(&mut probe)).0;
    assert_eq!((probed.status, probed.header("retry-after")), (503, Some("1")));
    assert_eq!(probed.problem()["type"], "urn:nebula:draining");
    let answer = sleeping.join().unwrap();
    assert_eq!((answer.status, &answer.json()["output"]), (200, &"0\n".into()));
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("drained"), "{}", daemon.log());
}

#[test]
fn running_calls_finish_after_sigterm() {
    running_calls_finish_after(Signal::TERM);
}

#[test]
fn running_calls_finish_after_sigint() {
    running_calls_finish_after(Signal::INT);
}

#[test]
fn a_second_signal_cuts() {
    let mut daemon = Daemon::with_guests(&["--source", "model"]);
    let mut call = daemon.connect();
    call.write_all(&request("GET", "/invoke/sleeper?input=20000", &[], b"")).unwrap();
    runs_a_call(&daemon);
    daemon.signal(Signal::TERM);
    refuses_connections(daemon.address());
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().code(), Some(128 + 2));
    assert_eq!(read_to_end(&mut call), b"");
}

#[test]
fn calls_that_outlive_their_time_of_grace_are_cut_off() {
    let daemon = Daemon::with_guests(&["--source", "model", "--http-grace", "200ms"]);
    let mut calls = [daemon.connect(), daemon.connect()];
    calls[0].write_all(&request("GET", "/invoke/sleeper?input=20000", &[], b"")).unwrap();
    calls[1].write_all(&request("GET", "/invoke/endless-loop", &[], b"")).unwrap();
    until("the calls run", || daemon.metrics().sum("nebula_in_flight_invocations", &[]) >= 2.0);
    let log = daemon.stop();
    assert!(log.contains("calls were cut off: they did not finish within 200ms"), "{log}");
}

#[test]
fn connections_without_a_call_do_not_hold_up_the_end() {
    // Longer than the time of grace: waiting for what they might ask would cut them off.
    let daemon = Daemon::start(&["--source", "model", "--http-header-timeout", "60s"]);
    let silent = daemon.connect();
    let mut idle = daemon.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut idle).status, 200);
    let log = daemon.stop();
    assert!(log.contains("drained") && !log.contains("cut off"), "{log}");
    drop((silent, idle));
}
