//! Traces: what callers send, what functions get, and what a collector gets.

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::collector::{Collector, Seen};
use crate::prelude::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn traced(collector: &Collector, options: &[&str]) -> Daemon {
    Daemon::with_guests(&[&["--window 20ms", "--traces-otlp", &collector.url()], options].concat())
}

/// The variable of this name that a function called by `/invoke` got.
fn variable(response: &Response, name: &str) -> Option<String> {
    variables(response.output().as_str().unwrap()).get(name).map(|value| (*value).to_owned())
}

/// The span of this call.
fn server_span(collector: &Collector, envelope: &Value) -> Seen {
    let id = &envelope["invocation_id"];
    let of_call = |seen: &Seen| seen.attributes.get("faas.invocation_id") == Some(id);
    eventually("the span is there", || collector.spans().into_iter().find(of_call))
}

#[test]
fn a_call_becomes_a_span_with_its_settled_joules_and_three_parts() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    daemon.settled("/invoke/answer?settle=true");
    let target = "/invoke/fibonacci-recursive?input=20&settle=true";
    let envelope = daemon.get_with(target, &[PARENT, "tracestate: a=1"]).json();
    let span = server_span(&collector, &envelope);
    assert_eq!((span.trace(), span.parent()), (TRACE.to_owned(), "00f067aa0ba902b7".to_owned()));
    assert_eq!((span.span.name.as_str(), span.span.kind), ("fibonacci-recursive", 2), "a server's");
    assert_eq!(span.span.trace_state, "a=1");
    let version = daemon.get("/functions/fibonacci-recursive").json()["version"].clone();
    for (name, value) in [
        ("faas.trigger", json!("http")),
        ("faas.name", json!("fibonacci-recursive")),
        ("faas.version", version),
        ("http.request.method", json!("GET")),
        ("http.response.status_code", json!(200)),
        ("url.path", json!("/invoke/fibonacci-recursive")),
        ("url.scheme", json!("http")),
        ("nebula.outcome", json!("ok")),
        ("nebula.energy.state", json!("settled")),
        ("nebula.energy.source", json!("model")),
        ("nebula.energy.policy", json!("active")),
        ("nebula.energy.joules", envelope["energy_joules"].clone()),
    ] {
        assert_eq!(span.attributes.get(name), Some(&value), "{name}");
    }
    assert!(span.attributes["faas.coldstart"].is_boolean() && span.number("nebula.cpu.seconds") > 0.0, "{span:?}");
    assert!(span.attributes.values().all(|value| value.as_str().is_none_or(|text| !text.contains("input=20"))));
    assert_eq!(span.resource.get("service.name"), Some(&json!("nebula")));
    let below: Vec<_> = collector.spans().into_iter().filter(|other| other.parent() == span.id()).collect();
    let names: BTreeSet<_> = below.iter().map(|span| span.span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["execution", "queue", "startup"]));
    for part in &below {
        assert_eq!(part.trace(), TRACE);
        assert!(part.span.start_time_unix_nano <= part.span.end_time_unix_nano, "{part:?}");
        assert!(part.span.end_time_unix_nano <= span.span.end_time_unix_nano + 1_000_000, "{part:?} of {span:?}");
    }
}

#[test]
fn a_trap_is_an_error_but_a_callers_mistake_is_not() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    let trapped = server_span(&collector, &daemon.get_with("/invoke/unreachable", &[]).problem());
    assert_eq!(trapped.attributes["error.type"], "trap");
    assert_eq!(trapped.span.status.as_ref().map(|status| status.code), Some(2));
    let mistaken = daemon.get_with("/invoke/scale?input=x", &[]).problem();
    let mistaken = server_span(&collector, &mistaken);
    assert_eq!(mistaken.attributes["http.response.status_code"], 400);
    assert!(!mistaken.attributes.contains_key("error.type"), "{mistaken:?}");
}

#[test]
fn a_function_gets_its_own_span_as_parent_if_it_is_exported() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    for target in ["/invoke/environment", "/fn/environment"] {
        let before = collector.spans().len();
        let response = daemon.get_with(target, &[PARENT]);
        let parent = match target {
            "/invoke/environment" => variable(&response, "TRACEPARENT").unwrap(),
            _ => variables(response.text())["HTTP_TRACEPARENT"].to_owned(),
        };
        let seen = eventually("its span comes", || {
            collector.spans().into_iter().skip(before).find(|seen| seen.span.name == "environment")
        });
        assert_eq!(parent, format!("00-{TRACE}-{}-01", seen.id()), "{target}");
    }
}

#[test]
fn an_unexported_trace_context_is_passed_on_unchanged() {
    let daemon = Daemon::shared(&[]);
    let response = daemon.get_with("/invoke/environment", &[PARENT, "tracestate: a=1", "tracestate: b=2"]);
    assert_eq!(variable(&response, "TRACEPARENT").as_deref(), PARENT.strip_prefix("traceparent: "));
    assert_eq!(variable(&response, "TRACESTATE").as_deref(), Some("a=1,b=2"));
    for bad in ["traceparent: 00-0-0-00", "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        let response = daemon.get_with("/invoke/environment", &[bad, "tracestate: a=1"]);
        assert_eq!(response.json()["output"], "", "{bad}");
        let cgi = daemon.get_with("/fn/environment", &[bad, "tracestate: a=1"]);
        assert!(!cgi.text().contains("HTTP_TRACE"), "{}", cgi.text());
    }
}

#[test]
fn outbound_requests_carry_the_trace_context() {
    let peer = Daemon::with_guests(&[]);
    let manifest = format!("outbound = [\"{}\"]\n", peer.url());
    let daemon = Daemon::with_files(&[("http-echo.toml", manifest)], &["--outbound-private 127.0.0.1"]);
    let url = format!("{}/fn/environment", peer.url()).replace(':', "%3A").replace('/', "%2F");
    let response = daemon.get_with(&format!("/invoke/http-echo?url={url}"), &[PARENT, "tracestate: a=1"]);
    assert_eq!(variable(&response, "HTTP_TRACEPARENT").as_deref(), PARENT.strip_prefix("traceparent: "));
    assert_eq!(variable(&response, "HTTP_TRACESTATE").as_deref(), Some("a=1"));
    let response = daemon.get_with(&format!("/invoke/http-echo?url={url}"), &[]);
    assert_eq!(variable(&response, "HTTP_TRACEPARENT"), None);
}

#[test]
fn the_parents_sampling_decision_overrides_the_ratio() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &["--traces-sample 0"]);
    let unsampled = daemon.get_with("/invoke/environment", &[UNSAMPLED]);
    assert_eq!(variable(&unsampled, "TRACEPARENT").as_deref(), UNSAMPLED.strip_prefix("traceparent: "));
    let root = variable(&daemon.get_with("/invoke/environment", &[]), "TRACEPARENT").unwrap();
    assert!(root.ends_with("-00") && !root.contains(TRACE), "{root}");
    let sampled = daemon.get_with("/invoke/answer", &[PARENT]).json();
    let _ = server_span(&collector, &sampled);
    daemon.stop();
    let names: BTreeSet<_> = collector.spans().into_iter().map(|seen| seen.span.name).collect();
    assert_eq!(names, ["answer", "execution", "queue", "startup"].map(str::to_owned).into());
}

#[test]
fn a_failing_collector_loses_spans_but_no_calls() {
    let refusing = Collector::start("400 Bad Request");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = format!("http://{free}");
    for url in [refusing.url(), gone] {
        let daemon = Daemon::start(&["--window 20ms --traces-otlp", &url]);
        assert_eq!(daemon.get("/invoke/answer").status, 200);
        let lost = || daemon.metric("nebula_trace_spans_total", &[("result", "failed")]);
        until("the loss is counted", || lost() >= 4.0);
        assert_eq!(daemon.get("/invoke/answer").status, 200);
        let log = daemon.stop();
        assert_eq!(log.matches("does not take traces").count(), 1, "{log}");
    }
}

#[test]
fn remaining_spans_are_sent_before_the_daemon_ends() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    let ids: BTreeSet<_> = (0..20).map(|_| daemon.get("/invoke/answer").json()["invocation_id"].to_string()).collect();
    daemon.stop();
    let id = |seen: Seen| Some(seen.attributes.get("faas.invocation_id")?.to_string());
    assert_eq!(collector.spans().into_iter().filter_map(id).collect::<BTreeSet<_>>(), ids);
}
