//! `?settle=true`: the answer waits until the call is settled, and no longer.

use std::collections::HashSet;
use std::thread;

use rustix::process::Signal;

use crate::prelude::*;

const OPTIONS: &[&str] = &["--window 20ms"];

/// Calls until a call was estimated and settled. Calls in the first window of a source, its baseline, are not known, and
/// have no estimates.
fn settled(daemon: &Daemon, target: &str) -> Value {
    eventually("a call is settled", || {
        let envelope = daemon.get(target).json();
        let energy = &envelope["energy"];
        (energy["state"] == "settled" && energy["estimate"]["active_joules"].is_number()).then_some(envelope)
    })
}

#[test]
fn the_answer_equals_what_invocations_show_afterwards() {
    let daemon = Daemon::shared(OPTIONS);
    let envelope = settled(&daemon, "/invoke/fibonacci-recursive?input=20&settle=true");
    let energy = &envelope["energy"];
    assert_eq!(energy["source"], "model");
    let joules = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{envelope}"));
    assert_eq!(joules(&envelope["energy_joules"]), joules(&energy["active_joules"]));
    assert!(joules(&energy["estimate"]["active_joules"]) > 0.0, "{envelope}");
    assert!(joules(&energy["estimate_ratio"]) > 0.0, "{envelope}");
    // To the microjoule, as ledgers are.
    let microjoules = joules(&energy["active_joules"]) * 1e6;
    assert!((microjoules - microjoules.round()).abs() < 1e-6, "{envelope}");
    let call = daemon.invocation(&envelope);
    assert_eq!((&call["energy"], &call["energy_joules"]), (energy, &envelope["energy_joules"]));
}

#[test]
fn charges_of_all_calls_add_up_to_the_account_of_their_function() {
    let daemon = Daemon::shared(OPTIONS);
    settled(&daemon, "/invoke/answer?settle=true");
    let call = || daemon.get("/invoke/prime-number?input=600&settle=true").json();
    let envelopes: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..8).map(|_| call()).collect::<Vec<_>>())).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    let microjoules = |envelope: &Value| {
        assert_eq!(envelope["energy"]["state"], "settled", "{envelope}");
        (envelope["energy"]["active_joules"].as_f64().unwrap() * 1e6).round() as u64
    };
    let charged = envelopes.iter().map(microjoules).sum::<u64>();
    let ledger = daemon.get("/energy").json();
    assert_eq!(ledger["sums"]["functions"]["prime-number"]["active_microjoules"], charged);
    let calls = &ledger["calls"]["prime-number"];
    assert_eq!((&calls["settled"], &calls["active_microjoules"]), (&64.into(), &charged.into()));
    // Each figure is rounded up to a nanojoule.
    let near = |sum: f64, shown: &Value| (sum - shown.as_f64().unwrap()).abs() < 1e-7;
    let of = |envelope: &Value, part: &str| envelope["energy"]["uncertainty_parts"][part].as_f64().unwrap();
    for part in ["common_joules", "source_joules"] {
        let sum = envelopes.iter().map(|envelope| of(envelope, part)).sum();
        assert!(near(sum, &calls["uncertainty_parts"][part]), "{sum} {calls}");
    }
    let own = envelopes.iter().map(|envelope| of(envelope, "own_joules").powi(2)).sum::<f64>().sqrt();
    assert!(near(own, &calls["uncertainty_parts"]["own_joules"]), "{own} {calls}");
    let parts = calls["uncertainty_parts"].as_object().unwrap().values().map(|part| part.as_f64().unwrap().powi(2));
    assert!(near(parts.sum::<f64>().sqrt(), &calls["active_joules_uncertainty"]), "{calls}");
    let ids: HashSet<_> = envelopes.iter().map(|envelope| envelope["invocation_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 64);
}

#[test]
fn every_endpoint_can_wait() {
    let daemon = Daemon::shared(OPTIONS);
    settled(&daemon, "/invoke/answer?settle=true");
    for target in ["/api/add/20,22?settle=true", "/wasm/add/20,22?settle=true", "/invoke/add?input=20,22&settle=true"] {
        let envelope = daemon.get(target).json();
        assert_eq!((&envelope["output"], &envelope["energy"]["state"]), (&"42\n".into(), &"settled".into()));
    }
    for response in [daemon.post("/fn/add?settle=true", "20,22"), daemon.get("/answer?settle=true")] {
        assert_eq!((response.text(), response.header("nebula-energy-state")), ("42\n", Some("settled")));
        assert!(response.header("nebula-energy-joules").is_some());
    }
    let page = daemon.get_with("/invoke/answer?settle=true", &["accept: text/html"]);
    assert!(page.text().contains("(settled, model, active)"), "{}", page.text());
    let failed = daemon.get("/invoke/unreachable?settle=true");
    assert_eq!((failed.status, &failed.problem()["energy"]["state"]), (500, &"settled".into()));
}

#[test]
fn waiting_is_not_part_of_the_call() {
    let tree = Tree::new();
    let _package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = tree.daemon(&["--window 500ms --limits-concurrency 1 --limits-queue 0"]);
    let target = "/invoke/answer?settle=true";
    thread::scope(|scope| {
        let waiting = scope.spawn(|| daemon.get(target).json());
        until("it has ended", || {
            let calls = daemon.get("/invocations?function=answer").json();
            calls["invocations"].as_array().unwrap().iter().any(|call| call["outcome"] == "ok")
        });
        // The only place is free again, although the answer has not come.
        assert_eq!(daemon.get("/invoke/add?input=1,1").status, 200);
        let metrics = daemon.metrics();
        assert_eq!(metrics.sum("nebula_in_flight_invocations", &[]), 0.0);
        let took = metrics.sum("nebula_invocation_duration_seconds_sum", &[("function", "answer")]);
        let envelope = waiting.join().unwrap();
        // A call that waited for its settlement would have taken a window at least.
        assert!(took < 0.5, "{took}");
        assert!(envelope["timing"]["total_us"].as_u64() < Some(500_000), "{envelope}");
        assert_eq!(envelope["energy"]["state"], "settled");
    });
}

#[test]
fn settle_is_not_passed_to_the_function() {
    let daemon = Daemon::shared(OPTIONS);
    for target in ["/environment?A=1&settle=true", "/fn/environment?settle=false&A=1"] {
        let response = daemon.get(target);
        let got = variables(response.text());
        assert!(got["A"] == "1" && !got.contains_key("settle"), "{target}: {got:?}");
    }
    for target in ["/invoke/environment?settle=true&A=1", "/api/environment/x?A=1&settle=false"] {
        assert_eq!(daemon.get(target).output(), "A=1\0", "{target}");
    }
    assert_eq!(daemon.post("/invoke/echo?settle=true", "hello").output(), "hello");
}

#[test]
fn values_other_than_true_and_false_are_refused() {
    let daemon = Daemon::shared(OPTIONS);
    for query in ["settle", "settle=", "settle=1", "settle=yes", "settle=True", "settle=true&settle=maybe"] {
        for path in ["/invoke/answer", "/fn/answer", "/answer", "/api/answer/1"] {
            assert_detail(&daemon.get(&format!("{path}?{query}")).expect_problem(400, "bad-request"), "`settle`");
        }
    }
    assert_eq!(daemon.get("/invoke/answer?settle=false").status, 200);
}

#[test]
fn without_places_for_waiters_the_answer_comes_at_once_and_says_so() {
    // The window outlasts any test, so a test that waited for it would fail.
    let daemon = Daemon::start(&["--window 60s --meter-waiters 0"]);
    let energy = daemon.get("/invoke/answer?settle=true").json()["energy"].clone();
    assert_ne!(energy["state"], "settled");
    assert!(energy["reason"].as_str().is_some_and(|reason| reason.contains("`meter.waiters`")), "{energy}");
    let response = daemon.get("/answer?settle=true");
    assert_eq!((response.status, response.text()), (200, "42\n"));
}

#[test]
fn waiting_callers_are_answered_while_the_daemon_drains() {
    let mut daemon = Daemon::with_guests(&["--window 500ms"]);
    settled(&daemon, "/invoke/answer?settle=true");
    let mut waiting = daemon.begin("/invoke/sleeper?input=1500&settle=true");
    until("the call runs", || daemon.in_flight() == 1.0);
    daemon.signal(Signal::TERM);
    let answer = answer(&mut waiting);
    assert_eq!((answer.status, &answer.json()["energy"]["state"]), (200, &"settled".into()));
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(daemon.log().contains("drained") && !daemon.log().contains("cut off"), "{}", daemon.log());
}
