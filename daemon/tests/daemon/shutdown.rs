//! Shutdown: the daemon drains at the first signal, and is cut off at the second.

use std::io::Write;
use std::net::SocketAddr;

use rustix::process::Signal;

use crate::client::connect;
use crate::prelude::*;

fn refuses_connections(address: SocketAddr) {
    until("new connections are refused", || connect(address).is_err());
}

#[test]
fn running_calls_finish_after_sigterm_and_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::with_guests(&[]);
        let address = daemon.address();
        let mut sleeping = daemon.begin("/invoke/sleeper?input=1500");
        until("the call runs", || daemon.in_flight() >= 1.0);
        let mut probe = daemon.connect();
        probe.write_all(b"GET /readyz HTTP/1.1\r\n").unwrap();
        // The daemon has accepted the connection before the signal: it answers others that came after it.
        assert_eq!(daemon.get("/readyz").status, 200);
        daemon.signal(signal);
        refuses_connections(address);
        probe.write_all(b"host: a\r\n\r\n").unwrap();
        let probed = answer(&mut probe);
        probed.expect_problem(503, "draining");
        assert_eq!(probed.header("retry-after"), Some("1"));
        let answer = answer(&mut sleeping);
        assert_eq!((answer.status, answer.output()), (200, "0\n".into()));
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
        assert!(daemon.log().contains("drained"), "{}", daemon.log());
    }
}

#[test]
fn a_second_signal_cuts() {
    let mut daemon = Daemon::with_guests(&[]);
    let mut call = daemon.begin("/invoke/sleeper?input=20000");
    until("the call runs", || daemon.in_flight() >= 1.0);
    daemon.signal(Signal::TERM);
    refuses_connections(daemon.address());
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().code(), Some(128 + 2));
    assert_eq!(read_to_end(&mut call), b"");
}

#[test]
fn calls_that_outlast_the_grace_period_are_cut_off() {
    let daemon = Daemon::with_guests(&["--http-grace 200ms"]);
    let _calls = ["/invoke/sleeper?input=20000", "/invoke/endless-loop"].map(|target| daemon.begin(target));
    until("the calls run", || daemon.in_flight() >= 2.0);
    let log = daemon.stop();
    assert!(log.contains("calls were cut off: they did not finish within 200ms"), "{log}");
}

#[test]
fn connections_without_a_call_do_not_delay_the_end() {
    // Longer than the grace period, so waiting for a request on them would cut them off.
    let daemon = Daemon::start(&["--http-header-timeout 60s"]);
    let silent = daemon.connect();
    let idle = daemon.idle_connection();
    let log = daemon.stop();
    assert!(log.contains("drained") && !log.contains("cut off"), "{log}");
    drop((silent, idle));
}
