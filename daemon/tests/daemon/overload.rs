//! More calls than there is room for.

use std::thread;

use crate::prelude::*;

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

#[test]
fn endless_calls_do_not_starve_short_ones_and_are_charged_when_their_callers_disconnect() {
    let daemon = Daemon::with_guests(&[]);
    let cpu = || daemon.metric("nebula_function_cpu_seconds_total", &[("function", "endless-loop")]);
    let callers = [(); 4].map(|()| daemon.begin("/invoke/endless-loop"));
    until("all of them run", || daemon.in_flight() == 4.0);
    for _ in 0..10 {
        let response = daemon.get("/invoke/hello-world");
        assert_eq!((response.status, &response.json()["output"]), (200, &"Hello, World!\n".into()));
    }
    drop(callers);
    until("the calls end with their callers", || daemon.calls("endless-loop", "cancelled") == 4.0);
    until("their CPU time is known", || cpu() > 0.0);
    assert_eq!(daemon.in_flight(), 0.0);
    until("their energy is charged", || daemon.active_joules("endless-loop") > 0.0);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "the daemon goes on");
}
