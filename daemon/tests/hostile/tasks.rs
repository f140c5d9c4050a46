//! Commands of WASI 0.3 are held to the limits of every other guest.

use crate::prelude::*;

#[test]
fn a_task_ends_at_its_deadline_and_leaves_the_daemon_to_others() {
    let daemon = Daemon::with_guests(&["--limits-wall", "2s"]);
    daemon.get("/invoke/endless-task").expect_problem(504, "timeout");
    assert_eq!(daemon.post("/invoke/task", "words").output(), "words");
}

#[test]
fn streams_that_a_task_hoards_end_it() {
    let daemon = Daemon::with_guests(&["--limits-wall", "10m"]);
    for _ in 0..3 {
        assert_eq!(daemon.get("/invoke/hoard-streams").status, 500, "it ends long before its deadline");
    }
    assert_eq!(daemon.post("/invoke/task", "words").output(), "words");
}
