//! Calls that fail: each answer says what happened, and what the call cost all the same.

use serde_json::Value;

use crate::daemon::Daemon;
use crate::waiting::eventually;

const OPTIONS: &[&str] = &["--source", "model"];

/// The problem of a call that ran, having checked that it has its energy, times and work.
fn failed(daemon: &Daemon, target: &str, body: &str, status: u16, kind: &str) -> Value {
    eventually("a window is closed", || {
        let response = daemon.post(target, body);
        assert_eq!(response.status, status, "{response:?}");
        let problem = response.problem();
        assert_eq!(problem["type"], format!("urn:nebula:{kind}"));
        assert_eq!(problem["function"], target.trim_start_matches("/invoke/"));
        assert_eq!(problem["invocation_id"].as_str().map(str::len), Some(36));
        assert!(problem["work"]["cpu_ns"].as_u64() > Some(0), "{problem}");
        assert!(problem["timing"]["total_us"].is_u64(), "{problem}");
        let known = problem["energy"]["state"] == "estimated";
        assert!(!known || problem["energy_joules"].as_f64() > Some(0.0), "{problem}");
        known.then_some(problem)
    })
}

#[test]
fn an_unknown_function_is_not_found() {
    let daemon = Daemon::shared(OPTIONS);
    for target in ["/invoke/nobody", "/api/nobody/1", "/fn/nobody", "/nobody", "/invoke/", "/invoke/HELLO-WORLD"] {
        let response = daemon.get(target);
        assert_eq!(response.status, 404, "{target}");
        response.problem();
    }
}

#[test]
fn an_input_that_a_function_of_numbers_cannot_take_is_the_callers_fault() {
    let daemon = Daemon::shared(OPTIONS);
    for (input, why) in [
        ("1", "expected 2 numbers of types i32, f64, found 1"),
        ("1,two", "expected 2 numbers of types i32, f64, found `two`, which is not of type f64"),
    ] {
        let problem = daemon.post("/invoke/scale", input).problem();
        assert_eq!((&problem["status"], &problem["detail"]), (&400.into(), &why.into()));
        assert_eq!(problem["exit_code"], Value::Null);
    }
}

#[test]
fn an_exit_code_comes_with_the_end_of_stderr() {
    let daemon = Daemon::shared(OPTIONS);
    let problem = failed(&daemon, "/invoke/complain", "the disk is full", 500, "exit");
    assert_eq!((&problem["exit_code"], &problem["stderr"]), (&3.into(), &"the disk is full".into()));
    let refused = failed(&daemon, "/invoke/factorial", "x", 500, "exit");
    assert_eq!(refused["exit_code"], 1);
    assert!(refused["stderr"].as_str().is_some_and(|stderr| stderr.starts_with("error: ")), "{refused}");
}

#[test]
fn exit_code_0_is_a_success() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/exit?input=0").json()["exit_code"], 0);
    assert_eq!(daemon.get("/invoke/exit?input=125").problem()["exit_code"], 125);
}

#[test]
fn a_trap_names_its_cause() {
    let daemon = Daemon::shared(OPTIONS);
    let problem = failed(&daemon, "/invoke/unreachable", "", 500, "trap");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("unreachable")), "{problem}");
    assert_eq!(problem["exit_code"], Value::Null);
    let problem = failed(&daemon, "/invoke/deep-recursion", "1", 500, "trap");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("stack")), "{problem}");
}

#[test]
fn a_flood_of_output_is_stopped() {
    let daemon = Daemon::shared(OPTIONS);
    failed(&daemon, "/invoke/flood", "", 500, "output-too-large");
}

#[test]
fn outcomes_are_counted_apart() {
    let daemon = Daemon::shared(&["--source", "model", "--limits-wall", "150ms"]);
    for (target, outcome) in [
        ("/invoke/answer", "ok"),
        ("/invoke/exit?input=2", "error"),
        ("/invoke/flood", "error"),
        ("/invoke/unreachable", "trap"),
        ("/invoke/memory-bomb", "trap"),
        ("/invoke/endless-loop", "timeout"),
    ] {
        let name = target.split(['/', '?']).nth(2).unwrap();
        let count = || daemon.metrics().sum("nebula_invocations_total", &[("function", name), ("outcome", outcome)]);
        let before = count();
        daemon.get(target);
        assert_eq!(count(), before + 1.0, "{target}");
        let all = daemon.metrics().sum("nebula_invocations_total", &[("function", name)]);
        assert_eq!(all, before + 1.0, "{target} is counted once");
    }
}
