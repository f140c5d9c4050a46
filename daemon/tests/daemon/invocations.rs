//! `/invocations`: calls while they run, and after.

use std::io::Write;

use serde_json::Value;

use crate::client::request;
use crate::daemon::Daemon;
use crate::exposition::Exposition;
use crate::powercap_tree::Tree;
use crate::waiting::{eventually, until};

const OPTIONS: &[&str] = &["--source", "model", "--window", "20ms"];

fn id(envelope: &Value) -> &str {
    envelope["invocation_id"].as_str().unwrap()
}

fn list(daemon: &Daemon, query: &str) -> Vec<Value> {
    daemon.get(&format!("/invocations{query}")).json()["invocations"].as_array().unwrap().clone()
}

/// A call once it is settled.
fn settled(daemon: &Daemon, id: &str) -> Value {
    eventually("the call is settled", || {
        let call = daemon.get(&format!("/invocations/{id}")).json();
        assert!(call["energy"].is_object(), "never forgotten in between: {call}");
        (call["energy"]["state"] != "estimated").then_some(call)
    })
}

#[test]
fn a_call_goes_from_its_estimate_to_its_charge() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = Daemon::start(&["--source", "powercap", "--sysfs-root", tree.root(), "--window", "500ms"]);
    let (envelope, call) = eventually("a call is met between its end and its charge", || {
        package.advance(10_000);
        let envelope = daemon.get("/invoke/fibonacci-recursive?input=18").json();
        let call = daemon.get(&format!("/invocations/{}", id(&envelope))).json();
        let estimated = |call: &Value| call["energy"]["state"] == "estimated";
        (estimated(&envelope) && estimated(&call)).then_some((envelope, call))
    });
    assert_eq!((&call["energy"], &call["energy_joules"]), (&envelope["energy"], &envelope["energy_joules"]));
    package.advance(70_000);
    let call = settled(&daemon, id(&envelope));
    assert_eq!(call["energy"]["state"], "settled", "{call}");
    assert_eq!((&call["function"], &call["outcome"]), (&"fibonacci-recursive".into(), &"ok".into()));
    assert_eq!(call["energy"]["source"], "powercap");
    let beside = &call["energy"]["estimate"];
    for figure in ["active_joules", "base_joules", "uncertainty_joules"] {
        assert_eq!(beside[figure], envelope["energy"][figure], "{figure}");
    }
    let duration = call["duration_seconds"].as_f64().unwrap() * 1e6;
    assert!((duration - envelope["timing"]["total_us"].as_f64().unwrap()).abs() <= 1.0, "{call}");
    let (started, ended) = (call["started"].as_str().unwrap(), call["ended"].as_str().unwrap());
    assert!(
        started < ended && started.ends_with('Z') && started.len() == "2000-01-01T00:00:00.000000Z".len(),
        "{call}"
    );
}

#[test]
fn what_cannot_be_settled_says_why() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let options = ["--source", "powercap", "--sysfs-root", tree.root(), "--window", "20ms"];
    let daemon = Daemon::start(&options);
    let lost = || daemon.metrics().sum("nebula_gap_seconds_total", &[("reason", "lost")]);
    package.fail(1_000);
    until("the loss is noticed", || lost() > 0.0);
    let envelope = daemon.get("/invoke/answer").json();
    let call = settled(&daemon, id(&envelope));
    assert_eq!((&call["energy"]["state"], &call["energy_joules"]), (&"unknown".into(), &Value::Null));
    assert!(call["energy"]["reason"].as_str().is_some_and(|why| why.contains("window")), "{call}");
    let waited = daemon.get("/invoke/answer?settle=true").json();
    assert_eq!(waited["energy"]["state"], "unknown");
}

#[test]
fn a_call_that_runs_is_listed_with_what_it_has_cost_so_far() {
    let daemon = Daemon::with_guests(&["--source", "model", "--window", "20ms", "--limits-wall", "60s"]);
    let mut caller = daemon.connect();
    caller.write_all(&request("GET", "/invoke/endless-loop", &[], b"")).unwrap();
    let account = [("function", "endless-loop"), ("component", "active")];
    let total = |metrics: &Exposition| metrics.sum("nebula_function_energy_joules_total", &account);
    let call = eventually("it has cost something", || {
        let calls = list(&daemon, "?function=endless-loop");
        calls.first().filter(|call| call["energy_joules"].as_f64() > Some(0.0)).cloned()
    });
    assert_eq!((&call["outcome"], &call["ended"]), (&Value::Null, &Value::Null));
    let (mut rises, mut metric, mut so_far) = (0, total(&daemon.metrics()), call["energy_joules"].as_f64().unwrap());
    until("its account has grown ten times while it runs", || {
        let call = daemon.get(&format!("/invocations/{}", id(&call))).json();
        assert_eq!((&call["energy"]["state"], &call["outcome"]), (&"running".into(), &Value::Null));
        let joules = call["energy_joules"].as_f64().unwrap_or_else(|| panic!("{call}"));
        let now = total(&daemon.metrics());
        assert!(joules >= so_far && now >= metric, "{joules} {so_far} {now} {metric}");
        rises += usize::from(joules > so_far && now > metric);
        (so_far, metric) = (joules, now);
        rises >= 10
    });
    assert_eq!(daemon.metrics().sum("nebula_invocation_energy_joules_count", &account[..1]), 0.0, "nothing is settled");
    drop(caller);
    let call = eventually("it is settled", || {
        let call = daemon.get(&format!("/invocations/{}", id(&call))).json();
        (call["energy"]["state"] == "settled").then_some(call)
    });
    assert_eq!(call["outcome"], "cancelled");
    let (settled, total) = (call["energy"]["active_joules"].as_f64().unwrap(), total(&daemon.metrics()));
    assert!(settled >= so_far, "{settled} {so_far}");
    assert!((settled - total).abs() < 2e-6, "the function's only call has all of its {total} J: {settled} J");
    assert!(call["energy"]["estimate"]["reason"].is_string(), "{call}");
}

#[test]
fn the_last_calls_are_listed_the_latest_first() {
    let daemon = Daemon::shared(OPTIONS);
    let called: Vec<_> = (0..5).map(|_| id(&daemon.get("/invoke/scale?input=2,3").json()).to_owned()).collect();
    let newest: Vec<_> = called.iter().rev().map(String::as_str).collect();
    for query in ["?function=scale", "?limit=1000&function=scale"] {
        let calls = list(&daemon, query);
        assert!(calls.iter().all(|call| call["function"] == "scale"));
        assert_eq!(calls.iter().map(id).collect::<Vec<_>>(), newest, "{query}");
    }
    let calls = list(&daemon, "?limit=2&function=scale");
    assert_eq!(calls.iter().map(id).collect::<Vec<_>>(), newest[..2]);
    for id in &called {
        let _ = settled(&daemon, id);
    }
    assert_eq!(list(&daemon, "?function=scale").iter().map(id).collect::<Vec<_>>(), newest, "settling changes nothing");
    assert!(list(&daemon, "").len() <= 20);
    assert!(list(&daemon, "?function=memory").is_empty(), "nobody has called it");
}

#[test]
fn only_so_many_are_remembered() {
    let daemon = Daemon::start(&["--source", "model", "--window", "20ms", "--meter-recent", "2"]);
    let called: Vec<_> = (0..3)
        .map(|_| {
            let envelope = daemon.get("/invoke/answer").json();
            let _ = settled(&daemon, id(&envelope));
            id(&envelope).to_owned()
        })
        .collect();
    let forgotten = daemon.get(&format!("/invocations/{}", called[0]));
    assert_eq!(forgotten.status, 404);
    assert_eq!(forgotten.problem()["type"], "urn:nebula:unknown-invocation");
    assert!(forgotten.problem()["detail"].as_str().unwrap().contains("`meter.recent`"));
    assert_eq!(list(&daemon, "").iter().map(id).collect::<Vec<_>>(), [&*called[2], &*called[1]]);
}

#[test]
fn bad_requests_are_refused() {
    let daemon = Daemon::shared(OPTIONS);
    for (target, status, kind) in [
        ("/invocations/01a1fc3a-2fe4-7381-9082-d6d7f59f8a3e", 404, "unknown-invocation"),
        ("/invocations/x", 400, "bad-request"),
        ("/invocations/", 400, "bad-request"),
        ("/invocations/01a1fc3a-2fe4-7381-9082-d6d7f59f8a3e/x", 400, "bad-request"),
        ("/invocations?function=nobody", 404, "unknown-function"),
        ("/invocations?limit=0", 400, "bad-request"),
        ("/invocations?limit=1001", 400, "bad-request"),
        ("/invocations?limit=-1", 400, "bad-request"),
        ("/invocations?limit=many", 400, "bad-request"),
        ("/invocations?limit", 400, "bad-request"),
        ("/invocations?limt=5", 400, "bad-request"),
    ] {
        let response = daemon.get(target);
        let problem = response.problem();
        assert_eq!((response.status, &problem["type"]), (status, &format!("urn:nebula:{kind}").into()), "{target}");
    }
    assert_eq!(daemon.post("/invocations", "").status, 405);
}
