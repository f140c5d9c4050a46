//! Joules as a limit: a call that has used what its manifest allows is stopped, and pays for what it used.

use std::sync::{Arc, LazyLock};

use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::exchange::Exchange;
use crate::guests;
use crate::waiting::{eventually, until};

/// What the greedy ones may use, in joules: some tens of milliseconds at a few watts.
const BUDGET: f64 = 0.2;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let tiny = "limits.max_joules = '200mJ'";
    guests::folder_of(&[
        ("greedy.wat", &*guests::source("endless-loop")),
        ("greedy.toml", tiny),
        ("sleeper.wat", &*guests::source("sleeper")),
        ("sleeper.toml", tiny),
        ("misbehave.wat", &*guests::source("misbehave")),
        ("misbehave.toml", tiny),
        ("hello-world.toml", tiny),
        ("fibonacci-recursive.toml", "limits.max_joules = 1000"),
    ])
});

static OPTIONS: LazyLock<[&str; 4]> =
    LazyLock::new(|| ["--source", "model", "--functions", FOLDER.path().to_str().unwrap()]);

/// A daemon that knows something of its machine.
fn daemon() -> Arc<Daemon> {
    let daemon = Daemon::shared(&*OPTIONS);
    until("a window is closed", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    daemon
}

fn over_budget(daemon: &Daemon, function: &str) -> f64 {
    let outcome = [("function", function), ("outcome", "over_budget")];
    daemon.metrics().sum("nebula_invocations_total", &outcome)
}

#[test]
fn a_call_is_stopped_beyond_its_joules_and_charged_for_what_it_used() {
    let daemon = daemon();
    for target in ["/invoke/greedy", "/fn/greedy"] {
        let before = over_budget(&daemon, "greedy");
        let response = daemon.get(target);
        let problem = response.problem();
        assert_eq!((response.status, &problem["type"]), (422, &"urn:nebula:over-energy-budget".into()), "{target}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("`limits.max_joules`")), "{problem}");
        let joules = problem["energy_joules"].as_f64().unwrap();
        assert!(joules > BUDGET && joules < 2.0 * BUDGET, "{problem}");
        // Other tests call it too.
        assert!(over_budget(&daemon, "greedy") > before);
        let id = problem["invocation_id"].as_str().unwrap();
        let call = eventually("it is settled", || {
            let call = daemon.get(&format!("/invocations/{id}")).json();
            (call["energy"]["state"] == "settled").then_some(call)
        });
        assert_eq!(call["outcome"], "over_budget", "{call}");
        let settled = call["energy_joules"].as_f64().unwrap();
        assert!(settled > BUDGET / 2.0 && settled < 2.0 * BUDGET, "{call}");
    }
    let account = [("function", "greedy"), ("component", "active")];
    assert!(daemon.metrics().sum("nebula_function_energy_joules_total", &account) > BUDGET);
}

#[test]
fn a_call_below_its_budget_is_not_touched() {
    let daemon = daemon();
    assert_eq!(daemon.get("/invoke/hello-world").json()["output"], "Hello, World!\n");
    // It computes for many ticks, and is asked at each of them.
    assert_eq!(daemon.get("/invoke/fibonacci-recursive?input=35").json()["output"], "9227465\n");
    assert_eq!(daemon.get("/invoke/sleeper?input=300").json()["output"], "0\n", "waiting costs nothing");
    for function in ["hello-world", "fibonacci-recursive", "sleeper"] {
        assert_eq!(over_budget(&daemon, function), 0.0, "{function}");
    }
}

#[test]
fn every_call_has_a_budget_of_its_own() {
    let daemon = daemon();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| daemon.get("/invoke/greedy").problem())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for problem in answers {
        assert_eq!(problem["type"], "urn:nebula:over-energy-budget");
        let joules = problem["energy_joules"].as_f64().unwrap();
        assert!(joules > BUDGET && joules < 2.0 * BUDGET, "{problem}");
    }
}

#[test]
fn an_answer_that_has_begun_is_broken_off_when_the_budget_is_spent() {
    let daemon = daemon();
    let before = over_budget(&daemon, "misbehave");
    let mut caller = Exchange::ask(&daemon, "/fn/misbehave/endless", &[]);
    assert_eq!(caller.head().status, 200);
    assert!(caller.rest().is_err());
    assert_eq!(over_budget(&daemon, "misbehave"), before + 1.0);
}

#[test]
fn without_a_meter_cpu_time_is_limited_and_joules_are_not() {
    let folder = guests::folder_of(&[
        ("frugal.wat", &*guests::source("endless-loop")),
        ("frugal.toml", "limits.cpu = '50ms'"),
        ("greedy.wat", &*guests::source("endless-loop")),
        ("greedy.toml", "limits.max_joules = '1uJ'\nlimits.wall = '300ms'"),
    ]);
    let daemon = Daemon::start(&["--source", "off", "--functions", folder.path().to_str().unwrap()]);
    for (name, kind) in [("frugal", "over-cpu-budget"), ("greedy", "timeout")] {
        let problem = daemon.get(&format!("/invoke/{name}")).problem();
        assert_eq!(problem["type"], format!("urn:nebula:{kind}"), "{problem}");
        assert!(problem["energy_joules"].is_null() && problem["energy"]["reason"].is_string(), "{problem}");
    }
    let log = daemon.stop();
    assert!(log.contains("`limits.max_joules` of `greedy` has no effect"), "{log}");
}

#[test]
fn a_budget_is_shown() {
    assert_eq!(daemon().get("/functions/greedy").json()["manifest"]["limits"]["max_joules"], 0.2);
}
