//! Calls as traces: what comes in, what goes on, and what a collector gets.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::client::Response;
use crate::collector::{Collector, Seen};
use crate::daemon::Daemon;
use crate::waiting::{eventually, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn traced(collector: &Collector, options: &[&str]) -> Daemon {
    let url = collector.url();
    let traces = ["--source", "model", "--window", "20ms", "--traces-otlp", &url];
    Daemon::with_guests(&[&traces, options].concat())
}

fn get(daemon: &Daemon, target: &str, headers: &[&str]) -> Response {
    daemon.request("GET", target, headers, b"")
}

/// What a command was told, by name.
fn told(response: &Response, name: &str) -> Option<String> {
    let envelope = response.json();
    let output = envelope["output"].as_str().unwrap().to_owned();
    output.split_terminator('\0').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

/// The span of this call.
fn server_span(collector: &Collector, envelope: &Value) -> Seen {
    let id = &envelope["invocation_id"];
    let of_call = |seen: &Seen| seen.attributes.get("faas.invocation_id") == Some(id);
    eventually("the span is there", || collector.spans().into_iter().find(of_call))
}

#[test]
fn a_call_becomes_a_span_with_its_settled_joules_and_the_stretches_of_its_way() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    let settled = |envelope: &Value| envelope["energy"]["state"] == "settled";
    let call = || get(&daemon, "/invoke/fibonacci-recursive?input=20&settle=true", &[PARENT, "tracestate: a=1"]).json();
    let envelope = eventually("a call is settled", || Some(call()).filter(settled));
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
fn a_trap_is_an_error_and_a_mistake_of_the_caller_is_none() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    let trapped = server_span(&collector, &get(&daemon, "/invoke/unreachable", &[]).problem());
    assert_eq!(trapped.attributes["error.type"], "trap");
    assert_eq!(trapped.span.status.as_ref().map(|status| status.code), Some(2));
    let mistaken = get(&daemon, "/invoke/scale?input=x", &[]).problem();
    let mistaken = server_span(&collector, &mistaken);
    assert_eq!(mistaken.attributes["http.response.status_code"], 400);
    assert!(!mistaken.attributes.contains_key("error.type"), "{mistaken:?}");
}

#[test]
fn a_function_is_told_its_own_span_where_that_is_exported() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    for target in ["/invoke/environment", "/fn/environment"] {
        let before = collector.spans().len();
        let response = get(&daemon, target, &[PARENT]);
        let (name, output) = match target {
            "/invoke/environment" => ("TRACEPARENT", response.json()["output"].as_str().unwrap().to_owned()),
            _ => ("HTTP_TRACEPARENT", response.text().to_owned()),
        };
        let parent = output.split_terminator('\0').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
        let seen = eventually("its span comes", || {
            collector.spans().into_iter().skip(before).find(|seen| seen.span.name == "environment")
        });
        assert_eq!(parent, format!("00-{TRACE}-{}-01", seen.id()), "{target}");
    }
}

#[test]
fn what_nobody_exports_is_passed_on_as_it_came() {
    let daemon = Daemon::shared(&["--source", "model"]);
    let response = get(&daemon, "/invoke/environment", &[PARENT, "tracestate: a=1", "tracestate: b=2"]);
    assert_eq!(told(&response, "TRACEPARENT").as_deref(), PARENT.strip_prefix("traceparent: "));
    assert_eq!(told(&response, "TRACESTATE").as_deref(), Some("a=1,b=2"));
    for bad in ["traceparent: 00-0-0-00", "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        let response = get(&daemon, "/invoke/environment", &[bad, "tracestate: a=1"]);
        assert_eq!(response.json()["output"], "", "{bad}");
        let cgi = get(&daemon, "/fn/environment", &[bad, "tracestate: a=1"]);
        assert!(!cgi.text().contains("HTTP_TRACE"), "{}", cgi.text());
    }
}

#[test]
fn requests_of_a_function_carry_its_place_in_the_trace() {
    let peer = Daemon::with_guests(&["--source", "model"]);
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!("outbound = [\"http://{}\"]\n", peer.address());
    fs::write(folder.path().join("http-echo.toml"), manifest).unwrap();
    let daemon = Daemon::start(&["--source", "model", "--functions", folder.path().to_str().unwrap()]);
    let peer_url = format!("http%3A%2F%2F{}%2Ffn%2Fenvironment", peer.address().to_string().replace(':', "%3A"));
    let response = get(&daemon, &format!("/invoke/http-echo?url={peer_url}"), &[PARENT, "tracestate: a=1"]);
    assert_eq!(told(&response, "HTTP_TRACEPARENT").as_deref(), PARENT.strip_prefix("traceparent: "));
    assert_eq!(told(&response, "HTTP_TRACESTATE").as_deref(), Some("a=1"));
    let response = get(&daemon, &format!("/invoke/http-echo?url={peer_url}"), &[]);
    assert_eq!(told(&response, "HTTP_TRACEPARENT"), None);
    daemon.stop();
    peer.stop();
}

#[test]
fn only_what_is_sampled_is_exported_and_the_parents_word_goes_before_the_ratio() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &["--traces-sample", "0"]);
    let unsampled = get(&daemon, "/invoke/environment", &[UNSAMPLED]);
    assert_eq!(told(&unsampled, "TRACEPARENT").as_deref(), UNSAMPLED.strip_prefix("traceparent: "));
    let root = told(&get(&daemon, "/invoke/environment", &[]), "TRACEPARENT").unwrap();
    assert!(root.ends_with("-00") && !root.contains(TRACE), "{root}");
    let sampled = get(&daemon, "/invoke/answer", &[PARENT]).json();
    let _ = server_span(&collector, &sampled);
    daemon.stop();
    let names: BTreeSet<_> = collector.spans().into_iter().map(|seen| seen.span.name).collect();
    assert_eq!(names, ["answer", "execution", "queue", "startup"].map(str::to_owned).into());
}

#[test]
fn a_collector_that_refuses_or_is_not_there_costs_spans_and_no_calls() {
    let refusing = Collector::start("400 Bad Request");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    for url in [refusing.url(), gone] {
        let daemon = Daemon::start(&["--source", "model", "--window", "20ms", "--traces-otlp", &url]);
        assert_eq!(daemon.get("/invoke/answer").status, 200);
        let lost = || daemon.metrics().sum("nebula_trace_spans_total", &[("result", "failed")]);
        until("the loss is counted", || lost() >= 4.0);
        assert_eq!(daemon.get("/invoke/answer").status, 200);
        let log = daemon.stop();
        assert_eq!(log.matches("does not take traces").count(), 1, "{log}");
    }
}

#[test]
fn what_is_left_is_sent_before_the_daemon_ends() {
    let collector = Collector::start("200 OK");
    let daemon = traced(&collector, &[]);
    let ids: BTreeSet<_> = (0..20).map(|_| daemon.get("/invoke/answer").json()["invocation_id"].to_string()).collect();
    daemon.stop();
    let sent: BTreeSet<_> = collector
        .spans()
        .iter()
        .filter_map(|seen| Some(seen.attributes.get("faas.invocation_id")?.to_string()))
        .collect();
    assert_eq!(sent, ids);
}
