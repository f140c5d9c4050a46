//! Calls that fail: the answer says what happened and what the call cost.

use crate::prelude::*;

/// The problem of a call that ran. Checks that it has its energy, times and work.
fn failed(daemon: &Daemon, target: &str, body: &str, status: u16, kind: &str) -> Value {
    let problem = daemon.post(target, body).expect_problem(status, kind);
    assert_eq!(problem["function"], target.trim_start_matches("/invoke/"));
    assert_eq!(problem["invocation_id"].as_str().map(str::len), Some(36));
    assert!(problem["work"]["cpu_ns"].as_u64() > Some(0), "{problem}");
    assert!(problem["timing"]["total_us"].is_u64(), "{problem}");
    assert_eq!(problem["energy"]["state"], "estimated");
    assert!(problem["energy_joules"].as_f64() > Some(0.0), "{problem}");
    problem
}

#[test]
fn an_unknown_function_is_not_found() {
    let daemon = Daemon::shared(&[]);
    for target in ["/invoke/nobody", "/api/nobody/1", "/fn/nobody", "/nobody", "/invoke/", "/invoke/HELLO-WORLD"] {
        let response = daemon.get(target);
        assert_eq!(response.status, 404, "{target}");
        response.problem();
    }
}

#[test]
fn a_wrong_input_for_a_numeric_function_is_a_bad_request() {
    let daemon = Daemon::shared(&[]);
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
fn exit_codes_traps_and_floods_of_output_are_reported() {
    let daemon = Daemon::shared(&[]);
    daemon.await_estimates();
    let problem = failed(&daemon, "/invoke/complain", "the disk is full", 500, "exit");
    assert_eq!((&problem["exit_code"], &problem["stderr"]), (&3.into(), &"the disk is full".into()));
    let problem = failed(&daemon, "/invoke/factorial", "x", 500, "exit");
    assert_eq!(problem["exit_code"], 1);
    assert!(problem["stderr"].as_str().is_some_and(|stderr| stderr.starts_with("error: ")), "{problem}");
    assert_eq!(daemon.get("/invoke/exit?input=0").json()["exit_code"], 0);
    assert_eq!(daemon.get("/invoke/exit?input=125").problem()["exit_code"], 125);
    for (target, input, why) in [("/invoke/unreachable", "", "unreachable"), ("/invoke/deep-recursion", "1", "stack")] {
        let problem = failed(&daemon, target, input, 500, "trap");
        assert_detail(&problem, why);
        assert_eq!(problem["exit_code"], Value::Null);
    }
    failed(&daemon, "/invoke/flood", "", 500, "output-too-large");
}

#[test]
fn outcomes_are_counted_apart() {
    let daemon = Daemon::shared(&["--limits-wall 150ms"]);
    for (target, outcome) in [
        ("/invoke/answer", "ok"),
        ("/invoke/exit?input=2", "error"),
        ("/invoke/flood", "error"),
        ("/invoke/unreachable", "trap"),
        ("/invoke/memory-bomb", "trap"),
        ("/invoke/endless-loop", "timeout"),
    ] {
        let name = target.split(['/', '?']).nth(2).unwrap();
        let before = daemon.calls(name, outcome);
        daemon.get(target);
        assert_eq!(daemon.calls(name, outcome), before + 1.0, "{target}");
        let all = daemon.metric("nebula_invocations_total", &[("function", name)]);
        assert_eq!(all, before + 1.0, "{target} is counted once");
    }
}
