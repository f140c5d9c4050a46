//! Guests that answer with a status below 200, which ends no exchange: a client would go on waiting, or take what follows
//! for another protocol.

use crate::prelude::*;

#[test]
fn an_informational_status_of_a_guest_is_a_bad_gateway() {
    let lower = guests::source("informational").replace("(i32.const 101)", "(i32.const 199)");
    let folder = guests::folder_of(&[("switch.wat", guests::source("informational")), ("lower.wat", lower)]);
    let daemon = Daemon::start(&["--functions", folder.path().to_str().unwrap()]);
    for (function, status) in [("switch", "101"), ("lower", "199")] {
        for target in [format!("/fn/{function}"), format!("/invoke/{function}"), format!("/{function}")] {
            let problem = daemon.get_with(&target, &["upgrade: websocket"]).expect_problem(502, "guest-error");
            assert_detail(&problem, &format!("the status {status}"));
        }
    }
    let printed = daemon.request("POST", "/fn/echo", &[], b"Status: 101 Switching Protocols\n\n");
    assert_detail(&printed.expect_problem(502, "bad-answer"), "from 200 to 599");
}
