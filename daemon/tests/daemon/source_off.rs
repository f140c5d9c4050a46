//! `--source off`: functions run without metering, and unmeasured energy is never a number.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::prelude::*;

const REASON: &str = "metering is switched off";

fn unmetered() -> Arc<Daemon> {
    Daemon::shared(&["--source off"])
}

fn assert_nothing_is_known(call: &Value) {
    let nulls = ["/energy_joules", "/energy/active_joules", "/energy/base_joules", "/energy/uncertainty_joules"];
    let work = ["/timing/cpu_us", "/work/cpu_ns", "/work/instructions", "/work/cycles", "/work/cache_misses"];
    for figure in nulls.into_iter().chain(work) {
        assert_eq!(call.pointer(figure), Some(&Value::Null), "{figure} of {call}");
    }
    for part in ["energy", "timing", "work"] {
        assert_eq!(call[part]["reason"], REASON, "{call}");
    }
    assert_has(call, &json!({ "energy": { "state": "unknown", "source": "off" } }));
    assert_eq!(call["energy"]["zones"], Value::Object(Map::new()));
}

#[test]
fn calls_are_answered_and_their_cost_is_null_with_the_reason() {
    let daemon = unmetered();
    let envelope = daemon.get("/invoke/fibonacci?input=5").json();
    assert_eq!(envelope["output"], "[0, 1, 1, 2, 3]\n");
    assert_nothing_is_known(&envelope);
    assert!(envelope["timing"]["total_us"].as_u64() > Some(0), "clocks still go: {envelope}");

    assert_nothing_is_known(&daemon.get("/invoke/unreachable").problem());
}

#[test]
fn settle_does_not_wait_and_calls_are_remembered_without_joules() {
    let daemon = unmetered();
    let envelope = daemon.get("/invoke/answer?settle=true").json();
    assert_nothing_is_known(&envelope);
    let energy = json!({ "state": "unknown", "reason": REASON });
    let call = json!({ "outcome": "ok", "energy_joules": null, "energy": energy });
    assert_has(&daemon.invocation(&envelope), &call);
    let ledger = json!({ "source": { "kind": "off" }, "reason": REASON, "zones": [], "sums": null });
    assert_has(&daemon.get("/energy").json(), &ledger);
}

#[test]
fn plain_answers_have_no_joules_and_no_cpu_time() {
    let response = unmetered().get("/fn/answer");
    assert_eq!((response.status, response.text().trim()), (200, "42"));
    for (header, value) in [("joules", None), ("source", Some("off")), ("state", Some("unknown"))] {
        assert_eq!(response.header(&format!("nebula-energy-{header}")), value, "{header}");
    }
    let timing = response.header("server-timing").unwrap();
    assert!(timing.contains("execution;dur=") && !timing.contains("cpu"), "{timing}");
}

#[test]
fn metrics_count_calls_and_say_that_there_is_no_source() {
    let daemon = Daemon::start(&["--source off"]);
    daemon.get("/invoke/answer");
    let metrics = daemon.metrics();
    let info: Vec<_> = metrics.find("nebula_energy_source_info", &[]).collect();
    let [info] = info[..] else { panic!("{info:?}") };
    let label = |name: &str| info.labels[name].as_str();
    assert_eq!((label("source"), label("measured"), label("reason"), info.value), ("off", "false", REASON, 1.0));
    assert_eq!(metrics.sum("nebula_invocations_total", &[("function", "answer"), ("outcome", "ok")]), 1.0);
    assert_eq!(metrics.sum("nebula_invocation_duration_seconds_count", &[("function", "answer")]), 1.0);
    for series in metrics.series().filter(|series| series.name.starts_with("nebula_")) {
        let shows_energy = series.name.contains("energy_joules") || series.name.contains("cpu_seconds");
        assert!(!shows_energy, "{} is shown", series.name);
    }
}

#[test]
fn without_a_sampler_the_daemon_is_healthy() {
    let samples = |daemon: &Daemon| daemon.threads().iter().any(|name| name == "sampler");
    assert!(samples(&Daemon::start(&[])));
    let daemon = unmetered();
    assert!(!samples(&daemon), "{:?}", daemon.threads());
    assert_eq!(daemon.get("/healthz").status, 200);
    let page = daemon.get("/");
    assert!(page.text().contains("No energy is measured here: metering is switched off."), "{}", page.text());
}

#[test]
fn the_commands_say_why_there_are_no_joules() {
    let invoked = run(nebula().args(["invoke", "answer", "--daemon", &unmetered().url()]));
    let ran = run(nebula().args(["run", "--source", "off"]).arg(guests::path("unreachable")));
    for (output, code) in [(invoked, 0), (ran, 134)] {
        let error = stderr(&output);
        assert_eq!(error.lines().last(), Some("nebula: joules not known: metering is switched off; source off"));
        assert_eq!(output.status.code(), Some(code));
    }
}
