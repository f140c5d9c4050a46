//! How exactly callers and operators may see joules.

use crate::prelude::*;

const SETTLE: &str = "/invoke/fibonacci-recursive?input=22&settle=true";

/// Every number below a member that holds joules.
fn joules(value: &Value, below: bool) -> Vec<f64> {
    match value {
        Value::Object(members) => {
            let holds = |name: &str| below || name.ends_with("_joules") || name == "zones";
            members.iter().flat_map(|(name, value)| joules(value, holds(name))).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| joules(value, below)).collect(),
        value => value.as_f64().filter(|_| below).into_iter().collect(),
    }
}

fn assert_coarse(value: &Value, step: f64) {
    let joules = joules(value, false);
    assert!(joules.len() >= 4, "{value}");
    for figure in joules {
        let steps = figure / step;
        assert!((steps - steps.round()).abs() < 1e-6, "{figure} of {value}");
    }
}

#[test]
fn callers_see_joules_rounded_and_operators_in_full() {
    let daemon = Daemon::start(&["--window 20ms --admin-listen 127.0.0.1:0 --energy-resolution 1mJ"]);
    let envelope = daemon.settled(SETTLE);
    assert_coarse(&envelope, 1e-3);
    assert!(envelope["energy"]["uncertainty_joules"].as_f64() >= Some(1e-3), "{envelope}");
    assert_coarse(&daemon.get("/invoke/fibonacci-recursive?input=22").json(), 1e-3);
    let id = envelope["invocation_id"].as_str().unwrap();
    let path = format!("/invocations/{id}");
    assert_coarse(&daemon.get(&path).json(), 1e-3);
    assert_coarse(&daemon.get("/invocations").json(), 1e-3);
    let header = daemon.get("/fibonacci-recursive?settle=true").header("nebula-energy-joules").unwrap().to_owned();
    assert_coarse(&json!({ "zones": [header.parse::<f64>().unwrap(), 0, 0, 0] }), 1e-3);

    let full = daemon.get_as_operator(&path).json();
    let active = |call: &Value| call["energy"]["active_joules"].as_f64().unwrap();
    assert!((active(&full) - active(&envelope)).abs() <= 0.5e-3 + 1e-9, "{full} {envelope}");
    let fine = |envelope: &Value| joules(envelope, false).iter().any(|joules| (joules * 1e3).fract() > 1e-6);
    assert!(fine(&full), "{full}");
    assert!(fine(&daemon.get_as_operator(SETTLE).json()), "operators call too");
    assert_eq!([daemon.get("/").status, daemon.get("/functions").status, daemon.get("/readyz").status], [200; 3]);
}

#[test]
fn an_open_daemon_rounds_joules_of_calls_but_shows_exact_totals() {
    let daemon = Daemon::start(&["--listen 0.0.0.0:0 --access open --window 20ms"]);
    assert_coarse(&daemon.settled(SETTLE), 1e-4);
    // Nobody could see them otherwise.
    assert_eq!([daemon.get("/metrics").status, daemon.get("/energy").status], [200; 2]);
    let log = daemon.stop();
    assert!(log.contains("sees exact totals") && log.contains("`admin.listen`"), "{log}");
}

#[test]
fn joules_for_operators_are_withheld_from_callers() {
    let options = "--window 20ms --energy-expose operators --admin-listen 0.0.0.0:0 --access open";
    let daemon = Daemon::with_guests(&[options]);
    until("joules are known", || daemon.get_as_operator("/invoke/answer").json()["energy_joules"].is_number());
    for target in ["/invoke/answer", "/invoke/answer?settle=true", "/api/answer/", "/invoke/unreachable"] {
        let answer = daemon.get(target).json();
        assert!(answer["energy_joules"].is_null(), "{answer}");
        assert!(joules(&answer, false).is_empty(), "{answer}");
        assert_eq!(answer["energy"]["state"], "withheld");
        assert!(answer["energy"]["reason"].as_str().unwrap().contains("`energy.expose`"), "{answer}");
        assert!(answer["work"]["cpu_ns"].is_u64(), "{answer}");
    }
    let plain = daemon.get("/answer");
    assert_eq!((plain.status, plain.text()), (200, "42\n"));
    let energy = plain.headers.iter().find(|(name, _)| name.starts_with("nebula-energy"));
    assert!(energy.is_none() && plain.header("nebula-invocation-id").is_some(), "{plain:?}");
    let page = daemon.get_with("/invoke/answer", &["accept: text/html"]);
    assert!(page.text().contains("not known") && page.text().contains("withheld"), "{}", page.text());

    let id = plain.header("nebula-invocation-id").unwrap();
    for target in
        ["/", "/metrics", "/energy", "/invocations", "/invocations?function=answer", &format!("/invocations/{id}")]
    {
        daemon.get(target).expect_problem(403, "operators-only");
        assert_eq!(daemon.get_as_operator(target).status, 200, "{target}");
    }
    let front = daemon.get_with("/", &["accept: text/html"]);
    assert_eq!((front.status, front.header("content-type")), (403, Some("text/html; charset=utf-8")));
    for target in ["/healthz", "/readyz", "/functions", "/functions/answer"] {
        assert_eq!((daemon.get(target).status, daemon.get_as_operator(target).status), (200, 200), "{target}");
    }
    let call = daemon.get_as_operator("/invoke/answer?settle=true").json();
    assert_eq!(call["energy"]["state"], "settled");
    let log = daemon.stop();
    assert!(log.contains("may call, deploy and see every figure without a token"), "{log}");
}
