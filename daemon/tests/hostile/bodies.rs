//! Request bodies that are received and not finished, or finished and not admitted.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use crate::prelude::*;

const MIB: usize = 1 << 20;

/// Sends a body without its last byte.
fn hold(daemon: &Daemon, size: usize) -> TcpStream {
    let mut stream = daemon.connect();
    let whole = request("POST", "/invoke/echo", &[], &vec![b'x'; size]);
    // A refusal may close the connection.
    let _ = stream.write_all(&whole[..whole.len() - 1]);
    stream
}

fn is_waiting(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let waits = stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    waits
}

#[test]
fn bodies_in_memory_are_bounded_in_all() {
    let daemon = Daemon::start(&["--limits-body", "1MiB", "--limits-module", "1MiB", "--limits-bodies", "2MiB"]);
    let hold_two = || [hold(&daemon, MIB), hold(&daemon, MIB)];
    let small = |body: &str| daemon.post("/invoke/echo", body);
    let mut held = hold_two();
    until("there is room for two bytes only", || {
        let is_full = small("xxx").status == 503;
        if !held.iter().all(is_waiting) {
            // The small body was in the way of a large one.
            held = hold_two();
            return false;
        }
        is_full
    });
    let [mut first, second] = held;
    let refused = small("xxx");
    assert_detail(&refused.expect_problem(503, "too-many-bodies"), "`limits.bodies`");
    assert_eq!(refused.header("retry-after"), Some("1"));
    daemon.request("PUT", "/functions/new", &[], "(module)").expect_problem(503, "too-many-bodies");
    // Whoever sends no body, or one that fits, is served.
    assert_eq!((small("xx").status, daemon.get("/invoke/hello-world").status), (200, 200));
    first.write_all(b"x").unwrap();
    assert_eq!(answer(&mut first).output().as_str().map(str::len), Some(MIB));
    // Its room is free again, and that of a client that has gone.
    assert_eq!(small("xxx").status, 200);
    drop(second);
    until("there is room for two large bodies", || {
        hold_two().iter_mut().all(|stream| stream.write_all(b"x").is_ok() && answer(stream).status == 200)
    });
}

#[test]
fn every_body_must_be_able_to_find_room() {
    for (options, why) in [
        (["--limits-bodies", "2MiB", "--limits-module", "1MiB"], "`limits.body`"),
        (["--limits-bodies", "64MiB", "--limits-body", "1MiB"], "`limits.module`"),
    ] {
        let error = start_error(&options, 64);
        assert!(error.contains("--limits-bodies") && error.contains(why), "{error}");
    }
}
