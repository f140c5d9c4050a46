//! The daemon stops while clients are busy: no request is lost that came in time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::connect;
use crate::prelude::*;

/// How soon after an answer a client is still busy. A test that gets no processor for longer proves nothing.
const BUSY: Duration = Duration::from_millis(250);

/// Asks on one connection for as long as the daemon lets it. Returns whether the last request was lost.
fn stay_busy(mut stream: TcpStream, answers: &AtomicUsize) -> bool {
    let (mut buffer, mut answered) = ([0; 4096], Instant::now());
    loop {
        let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
        let is_busy = answered.elapsed() < BUSY;
        if sent.is_err() {
            return is_busy;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok\n") {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
                _ => return is_busy,
            }
        }
        answered = Instant::now();
        answers.fetch_add(1, Ordering::Relaxed);
        if String::from_utf8_lossy(&answer).contains("connection: close") {
            return false;
        }
    }
}

#[test]
fn no_request_on_a_busy_connection_is_lost_when_the_daemon_stops() {
    const CONNECTIONS: usize = 16;
    for _ in 0..3 {
        let mut daemon = Daemon::start(&[]);
        let (address, answers) = (daemon.address(), AtomicUsize::new(0));
        let lost = thread::scope(|scope| {
            let answers = &answers;
            let busy = |_| scope.spawn(move || stay_busy(connect(address).unwrap(), answers));
            let busy: Vec<_> = (0..CONNECTIONS).map(busy).collect();
            until("all are busy", || answers.load(Ordering::Relaxed) > 20 * CONNECTIONS);
            daemon.signal(Signal::TERM);
            busy.into_iter().filter_map(|busy| busy.join().unwrap().then_some(())).count()
        });
        assert_eq!(lost, 0);
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    }
}
