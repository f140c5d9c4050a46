//! Joules as a limit: a call that uses more than its manifest allows is stopped, and charged for what it used.

use std::sync::{Arc, LazyLock};
use std::thread;

use tempfile::TempDir;

use crate::prelude::*;

/// The budget of greedy functions, in joules: some tens of milliseconds at a few watts.
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

static OPTIONS: LazyLock<[&str; 2]> = LazyLock::new(|| ["--functions", FOLDER.path().to_str().unwrap()]);

/// A daemon that can estimate what calls cost.
fn daemon() -> Arc<Daemon> {
    let daemon = Daemon::shared(&*OPTIONS);
    daemon.await_estimates();
    daemon
}

/// Checks that a call was stopped soon after it had used its budget.
fn assert_over_budget(problem: &Value) {
    assert_eq!(problem["type"], "urn:nebula:over-energy-budget");
    let joules = problem["energy_joules"].as_f64().unwrap();
    assert!(joules > BUDGET && joules < 2.0 * BUDGET, "{problem}");
}

#[test]
fn a_call_over_its_budget_is_stopped_and_charged_for_what_it_used() {
    let daemon = daemon();
    assert_eq!(daemon.get("/functions/greedy").json()["manifest"]["limits"]["max_joules"], BUDGET);
    for target in ["/invoke/greedy", "/fn/greedy"] {
        let before = daemon.calls("greedy", "over_budget");
        let problem = daemon.get(target).expect_problem(422, "over-energy-budget");
        assert_detail(&problem, "`limits.max_joules`");
        assert_over_budget(&problem);
        // Other tests call it too.
        assert!(daemon.calls("greedy", "over_budget") > before);
        let call = daemon.settled_invocation(&problem);
        assert_eq!(call["outcome"], "over_budget", "{call}");
        let settled = call["energy_joules"].as_f64().unwrap();
        assert!(settled > BUDGET / 2.0 && settled < 2.0 * BUDGET, "{call}");
    }
    assert!(daemon.active_joules("greedy") > BUDGET);
}

#[test]
fn a_call_below_its_budget_is_not_stopped() {
    let daemon = daemon();
    assert_eq!(daemon.output("hello-world"), "Hello, World!\n");
    // It computes for many ticks, and is asked at each of them.
    assert_eq!(daemon.output("fibonacci-recursive?input=35"), "9227465\n");
    assert_eq!(daemon.output("sleeper?input=300"), "0\n", "waiting costs nothing");
    for function in ["hello-world", "fibonacci-recursive", "sleeper"] {
        assert_eq!(daemon.calls(function, "over_budget"), 0.0, "{function}");
    }
}

#[test]
fn every_call_has_a_budget_of_its_own() {
    let daemon = daemon();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_over_budget(&daemon.get("/invoke/greedy").problem()));
        }
    });
}

#[test]
fn an_answer_that_has_begun_breaks_off_when_the_budget_is_spent() {
    let daemon = daemon();
    let before = daemon.calls("misbehave", "over_budget");
    let mut caller = Exchange::ask(&daemon, "/fn/misbehave/endless", &[]);
    assert_eq!(caller.head().status, 200);
    assert!(caller.rest().is_err());
    until("the call is counted", || daemon.calls("misbehave", "over_budget") == before + 1.0);
}

#[test]
fn without_a_meter_cpu_time_is_limited_but_joules_are_not() {
    let daemon = Daemon::with_files(
        &[
            ("frugal.wat", &*guests::source("endless-loop")),
            ("frugal.toml", "limits.cpu = '50ms'"),
            ("greedy.wat", &*guests::source("endless-loop")),
            ("greedy.toml", "limits.max_joules = '1uJ'\nlimits.wall = '300ms'"),
        ],
        &["--source off"],
    );
    for (name, status, kind) in [("frugal", 422, "over-cpu-budget"), ("greedy", 504, "timeout")] {
        let problem = daemon.get(&format!("/invoke/{name}")).expect_problem(status, kind);
        assert!(problem["energy_joules"].is_null() && problem["energy"]["reason"].is_string(), "{problem}");
    }
    let log = daemon.stop();
    assert!(log.contains("`limits.max_joules` of `greedy` has no effect"), "{log}");
}
