//! What functions can be, and that each kind is called in the same ways.

use std::process::Output;

use crate::daemon::{Daemon, nebula, run, stderr};
use crate::guests;

/// Ticks are rare, so that calls that are short stay so on a machine that is busy.
const OPTIONS: &[&str] = &["--source", "model", "--runtime-tick", "1s"];

/// One function of each kind, and the status that its answers have in envelopes.
const KINDS: [(&str, &str, Option<u16>); 5] = [
    ("hello-world", "command", None),
    ("answer", "numeric", None),
    ("hello-component", "component", None),
    ("hello-http", "proxy", Some(200)),
    ("hello-service", "service", Some(200)),
];

fn output_of(name: &str) -> &'static str {
    if name == "answer" { "42\n" } else { "Hello, World!\n" }
}

#[test]
fn every_kind_is_named_where_functions_are_listed() {
    let daemon = Daemon::shared(OPTIONS);
    let list = daemon.get("/functions").json();
    for (name, kind, _) in KINDS {
        let functions = list["functions"].as_array().unwrap();
        let listed = functions.iter().find(|function| function["name"] == name).unwrap();
        assert_eq!(listed["kind"], kind, "{name}");
        assert_eq!(daemon.get(&format!("/functions/{name}")).json()["kind"], kind);
    }
}

#[test]
fn every_kind_answers_in_an_envelope() {
    let daemon = Daemon::shared(OPTIONS);
    for (name, _, status) in KINDS {
        for target in [format!("/invoke/{name}"), format!("/api/{name}")] {
            let envelope = daemon.get(&target).json();
            assert_eq!(envelope["output"], output_of(name), "{name}: {envelope}");
            assert_eq!(envelope.get("status"), status.map(Into::into).as_ref(), "{name}: {envelope}");
            assert_eq!(envelope["exit_code"].is_null(), status.is_some(), "{name}: {envelope}");
            assert!(envelope["work"]["cpu_ns"].as_u64() > Some(0), "{name}: {envelope}");
        }
    }
}

#[test]
fn every_kind_answers_as_it_is_with_its_energy_in_headers() {
    let daemon = Daemon::shared(OPTIONS);
    for (name, kind, _) in KINDS {
        let response = daemon.get(&format!("/fn/{name}"));
        assert_eq!((response.status, response.text()), (200, output_of(name)), "{name}");
        let expected = if kind == "proxy" || kind == "service" { "text/plain" } else { "text/plain; charset=utf-8" };
        assert_eq!(response.header("content-type"), Some(expected), "{name}");
        assert_eq!(response.header("nebula-energy-source"), Some("model"), "{name}");
        assert_eq!(response.header("nebula-invocation-id").map(str::len), Some(36), "{name}");
        assert_eq!(response.header("content-length"), Some(&*output_of(name).len().to_string()), "{name}");
        assert_eq!(response.header("trailer"), None, "{name}: everything is known in time");
        assert_eq!(daemon.get(&format!("/{name}")).text(), output_of(name));
    }
}

#[test]
fn a_function_that_speaks_http_is_invoked_with_the_input_as_a_body() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.post("/invoke/http-echo", "words").json()["output"], "words");
    for target in ["/invoke/http-echo?input=words", "/api/http-echo/words", "/wasm/http-echo/words"] {
        let envelope = daemon.get(target).json();
        assert_eq!((&envelope["output"], &envelope["status"]), (&"words".into(), &200.into()), "{target}");
    }
    let bytes = daemon.post("/invoke/http-echo", [0xff, 0x00]).json();
    assert_eq!(bytes["output_base64"], "/wA=");
    let long = "x".repeat(1 << 20);
    assert_eq!(daemon.post("/invoke/http-echo", &long).json()["output"], long.as_str(), "beyond what is kept back");
    let settled = daemon.get("/invoke/http-echo?settle=true").json();
    assert_eq!(settled["energy"]["state"], "settled", "{settled}");
}

#[test]
fn a_component_reads_its_environment_and_its_input() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/invoke/hello-component?name=Ada").json()["output"], "Hello, Ada!\n");
    assert_eq!(daemon.get("/fn/hello-component?name=Ada").text(), "Hello, Ada!\n");
}

fn run_file(name: &str, arguments: &[&str]) -> Output {
    run(nebula().args(["run", "--source", "model"]).arg(guests::sample(name)).args(arguments))
}

#[test]
fn every_kind_runs_from_its_file() {
    for (name, _, _) in KINDS.iter().filter(|(name, ..)| *name != "answer") {
        let output = run_file(name, &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert_eq!(str::from_utf8(&output.stdout), Ok("Hello, World!\n"), "{name}");
        assert!(stderr(&output).contains("ms CPU; source model"), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_function_that_speaks_http_runs_with_a_path() {
    let refused = run_file("http-echo", &["/?url=nothing"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert_eq!(str::from_utf8(&refused.stdout), Ok("expected `?url=` with an http or https URL\n"));
    assert!(stderr(&refused).contains("nebula: the module answered with status 400"), "{}", stderr(&refused));
}

#[test]
fn what_answers_wrongly_tells_so_when_it_runs() {
    let misbehave = |path: &str| {
        let file = guests::path("misbehave");
        run(nebula().args(["run", "--source", "model"]).arg(file).arg(path))
    };
    for (path, code, why) in [
        ("/silent", 1, "nebula: the module sent no answer"),
        ("/refuse", 1, "nebula: the module failed to answer: ErrorCode::InternalError(None)"),
        ("/late", 134, "nebula: the module trapped"),
    ] {
        let output = misbehave(path);
        assert_eq!(output.status.code(), Some(code), "{path}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{path}: {}", stderr(&output));
    }
}
