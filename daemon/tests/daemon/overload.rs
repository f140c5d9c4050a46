//! More calls than there is room for.

use std::io::Write;
use std::thread;

use crate::client::{Response, request};
use crate::daemon::Daemon;
use crate::waiting::until;

/// Sends so many calls at once, and gives their answers.
fn at_once(daemon: &Daemon, calls: usize, target: &str) -> Vec<Response> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..calls).map(|_| scope.spawn(|| daemon.get(target))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

fn count(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|response| response.status == status).count()
}

#[test]
fn the_queue_has_its_places_and_no_more() {
    let options = ["--source", "model", "--limits-concurrency", "2", "--limits-queue", "1"];
    let daemon = Daemon::with_guests(&options);
    assert_eq!(count(&at_once(&daemon, 3, "/invoke/sleeper?input=400"), 200), 3);
    let answers = at_once(&daemon, 4, "/invoke/sleeper?input=1000");
    assert_eq!((count(&answers, 200), count(&answers, 503)), (3, 1));
    let busy = answers.iter().find(|response| response.status == 503).unwrap();
    assert_eq!(busy.header("retry-after"), Some("1"));
    let problem = busy.problem();
    assert_eq!(problem["type"], "urn:nebula:busy");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("1 calls are waiting")), "{problem}");
    let rejected = daemon.metrics().sum("nebula_invocations_total", &[("outcome", "rejected")]);
    assert_eq!(rejected, 1.0);
}

#[test]
fn a_call_waits_for_its_turn_only_so_long() {
    let options = ["--source", "model", "--limits-concurrency", "1", "--limits-queue-wait", "500ms"];
    let daemon = Daemon::with_guests(&options);
    assert_eq!(count(&at_once(&daemon, 2, "/invoke/sleeper?input=50"), 200), 2, "the second had its turn in time");
    let answers = at_once(&daemon, 2, "/invoke/sleeper?input=2500");
    assert_eq!((count(&answers, 200), count(&answers, 503)), (1, 1));
    let busy = answers.iter().find(|response| response.status == 503).unwrap();
    assert_eq!(busy.header("retry-after"), Some("1"));
    let detail = busy.problem()["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.contains("within 500ms")), "{detail}");
}

#[test]
fn endless_calls_do_not_starve_short_ones_and_are_charged_when_their_callers_go() {
    let daemon = Daemon::with_guests(&["--source", "model"]);
    let cpu = || daemon.metrics().sum("nebula_function_cpu_seconds_total", &[("function", "endless-loop")]);
    let mut callers: Vec<_> = (0..4).map(|_| daemon.connect()).collect();
    for caller in &mut callers {
        caller.write_all(&request("GET", "/invoke/endless-loop", &[], b"")).unwrap();
    }
    until("all of them run", || daemon.metrics().sum("nebula_in_flight_invocations", &[]) == 4.0);
    for _ in 0..10 {
        let response = daemon.get("/invoke/hello-world");
        assert_eq!((response.status, &response.json()["output"]), (200, &"Hello, World!\n".into()));
    }
    drop(callers);
    let cancelled = [("function", "endless-loop"), ("outcome", "cancelled")];
    until("the calls end with their callers", || daemon.metrics().sum("nebula_invocations_total", &cancelled) == 4.0);
    until("their CPU time is known", || cpu() > 0.0);
    assert_eq!(daemon.metrics().sum("nebula_in_flight_invocations", &[]), 0.0);
    let account = [("function", "endless-loop"), ("component", "active")];
    until("their energy is charged", || daemon.metrics().sum("nebula_function_energy_joules_total", &account) > 0.0);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "the daemon goes on");
}
