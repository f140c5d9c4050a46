//! `/invocations`: calls while they run, and after.

use crate::prelude::*;

const OPTIONS: &[&str] = &["--window 20ms"];

fn id(envelope: &Value) -> &str {
    envelope["invocation_id"].as_str().unwrap()
}

fn list(daemon: &Daemon, query: &str) -> Vec<Value> {
    daemon.get(&format!("/invocations{query}")).json()["invocations"].as_array().unwrap().clone()
}

/// The call of an answer once it is settled, or once it is certain that it will not be.
fn settled(daemon: &Daemon, answer: &Value) -> Value {
    eventually("the call is settled", || {
        let call = daemon.invocation(answer);
        assert!(call["energy"].is_object(), "never forgotten in between: {call}");
        (call["energy"]["state"] != "estimated").then_some(call)
    })
}

#[test]
fn a_call_goes_from_its_estimate_to_its_charge() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = tree.daemon(&["--window 500ms"]);
    let (envelope, call) = eventually("a call is read between its end and its charge", || {
        package.advance(10_000);
        let envelope = daemon.get("/invoke/fibonacci-recursive?input=18").json();
        let call = daemon.invocation(&envelope);
        let estimated = |call: &Value| call["energy"]["state"] == "estimated";
        (estimated(&envelope) && estimated(&call)).then_some((envelope, call))
    });
    assert_eq!((&call["energy"], &call["energy_joules"]), (&envelope["energy"], &envelope["energy_joules"]));
    package.advance(70_000);
    let call = settled(&daemon, &envelope);
    assert_has(
        &call,
        &json!({
            "function": "fibonacci-recursive",
            "outcome": "ok",
            "energy": {
                "state": "settled",
                "source": "powercap",
                "estimate": {
                    "active_joules": envelope["energy"]["active_joules"],
                    "base_joules": envelope["energy"]["base_joules"],
                    "uncertainty_joules": envelope["energy"]["uncertainty_joules"],
                },
            },
        }),
    );
    let duration = call["duration_seconds"].as_f64().unwrap() * 1e6;
    assert!((duration - envelope["timing"]["total_us"].as_f64().unwrap()).abs() <= 1.0, "{call}");
    let (started, ended) = (call["started"].as_str().unwrap(), call["ended"].as_str().unwrap());
    assert!(started < ended && started.ends_with('Z'), "{call}");
    assert_eq!(started.len(), "2000-01-01T00:00:00.000000Z".len());
}

#[test]
fn a_call_that_cannot_be_settled_says_why() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = tree.daemon(OPTIONS);
    let lost = || daemon.metric("nebula_gap_seconds_total", &[("reason", "lost")]);
    package.fail(1_000);
    until("the loss is noticed", || lost() > 0.0);
    let call = settled(&daemon, &daemon.get("/invoke/answer").json());
    assert_has(&call, &json!({ "energy_joules": null, "energy": { "state": "unknown" } }));
    assert!(call["energy"]["reason"].as_str().is_some_and(|why| why.contains("window")), "{call}");
    let waited = daemon.get("/invoke/answer?settle=true").json();
    assert_eq!(waited["energy"]["state"], "unknown");
}

#[test]
fn a_running_call_is_listed_with_its_joules_so_far() {
    let daemon = Daemon::with_guests(&["--window 20ms --limits-wall 60s"]);
    let caller = daemon.begin("/invoke/endless-loop");
    let total = || daemon.active_joules("endless-loop");
    let call = eventually("it has cost something", || {
        let calls = list(&daemon, "?function=endless-loop");
        calls.first().filter(|call| call["energy_joules"].as_f64() > Some(0.0)).cloned()
    });
    assert_eq!((&call["outcome"], &call["ended"]), (&Value::Null, &Value::Null));
    let (mut rises, mut metric, mut so_far) = (0, total(), call["energy_joules"].as_f64().unwrap());
    until("its account has grown ten times while it runs", || {
        let call = daemon.invocation(&call);
        assert_has(&call, &json!({ "outcome": null, "energy": { "state": "running" } }));
        let joules = call["energy_joules"].as_f64().unwrap_or_else(|| panic!("{call}"));
        let now = total();
        assert!(joules >= so_far && now >= metric, "{joules} {so_far} {now} {metric}");
        rises += usize::from(joules > so_far && now > metric);
        (so_far, metric) = (joules, now);
        rises >= 10
    });
    let settled = daemon.metric("nebula_invocation_energy_joules_count", &[("function", "endless-loop")]);
    assert_eq!(settled, 0.0, "the call is not settled");
    drop(caller);
    let call = daemon.settled_invocation(&call);
    assert_eq!(call["outcome"], "cancelled");
    let (settled, total) = (call["energy"]["active_joules"].as_f64().unwrap(), total());
    assert!(settled >= so_far, "{settled} {so_far}");
    assert!((settled - total).abs() < 2e-6, "the function's only call has all of its {total} J: {settled} J");
    assert!(call["energy"]["estimate"]["reason"].is_string(), "{call}");
}

#[test]
fn the_last_calls_are_listed_newest_first() {
    let daemon = Daemon::shared(OPTIONS);
    let called = [(); 5].map(|()| daemon.get("/invoke/scale?input=2,3").json());
    let newest: Vec<_> = called.iter().rev().map(id).collect();
    for query in ["?function=scale", "?limit=1000&function=scale"] {
        let calls = list(&daemon, query);
        assert!(calls.iter().all(|call| call["function"] == "scale"));
        assert_eq!(calls.iter().map(id).collect::<Vec<_>>(), newest, "{query}");
    }
    let calls = list(&daemon, "?limit=2&function=scale");
    assert_eq!(calls.iter().map(id).collect::<Vec<_>>(), newest[..2]);
    for call in &called {
        settled(&daemon, call);
    }
    assert_eq!(list(&daemon, "?function=scale").iter().map(id).collect::<Vec<_>>(), newest, "settling changes nothing");
    assert!(list(&daemon, "").len() <= 20);
    assert!(list(&daemon, "?function=memory").is_empty(), "nobody has called it");
}

#[test]
fn only_recent_calls_are_remembered() {
    let daemon = Daemon::start(&["--window 20ms --meter-recent 2"]);
    let [first, second, third] = [(); 3].map(|()| settled(&daemon, &daemon.get("/invoke/answer").json()));
    let forgotten = daemon.get(&format!("/invocations/{}", id(&first)));
    assert_detail(&forgotten.expect_problem(404, "unknown-invocation"), "`meter.recent`");
    assert_eq!(list(&daemon, "").iter().map(id).collect::<Vec<_>>(), [id(&third), id(&second)]);
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
        daemon.get(target).expect_problem(status, kind);
    }
    assert_eq!(daemon.post("/invocations", "").status, 405);
}
