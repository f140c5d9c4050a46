//! The kinds of functions, which are all called in the same ways.

use std::path::PathBuf;
use std::process::Output;

use crate::prelude::*;

/// Rare ticks keep short calls short, even on a busy machine.
const OPTIONS: &[&str] = &["--runtime-tick 1s"];

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
fn every_kind_is_listed_and_answers_in_an_envelope() {
    let daemon = Daemon::shared(OPTIONS);
    let list = daemon.get("/functions").json();
    let list = list["functions"].as_array().unwrap();
    for (name, kind, status) in KINDS {
        assert_eq!(list.iter().find(|function| function["name"] == name).unwrap()["kind"], kind, "{name}");
        assert_eq!(daemon.get(&format!("/functions/{name}")).json()["kind"], kind);
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
fn every_kind_gives_plain_answers_with_energy_in_headers() {
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
fn proxies_and_components_get_input_and_variables() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.post("/invoke/http-echo", "words").output(), "words");
    for target in ["/invoke/http-echo?input=words", "/api/http-echo/words", "/wasm/http-echo/words"] {
        let envelope = daemon.get(target).json();
        assert_eq!((&envelope["output"], &envelope["status"]), (&"words".into(), &200.into()), "{target}");
    }
    let bytes = daemon.post("/invoke/http-echo", [0xff, 0x00]).json();
    assert_eq!(bytes["output_base64"], "/wA=");
    let long = "x".repeat(1 << 20);
    assert_eq!(daemon.post("/invoke/http-echo", &long).output(), long.as_str(), "beyond what is kept back");
    assert_eq!(daemon.output("hello-component?name=Ada"), "Hello, Ada!\n");
    assert_eq!(daemon.get("/fn/hello-component?name=Ada").text(), "Hello, Ada!\n");
    let settled = daemon.get("/invoke/http-echo?settle=true").json();
    assert_eq!(settled["energy"]["state"], "settled", "{settled}");
}

#[test]
fn a_command_of_wasi_0_3_reads_stdin_and_writes_stdout() {
    let daemon = Daemon::shared(OPTIONS);
    assert_eq!(daemon.get("/functions/task").json()["kind"], "component");
    let envelope = daemon.post("/invoke/task", "words").json();
    assert_eq!((&envelope["output"], &envelope["exit_code"]), (&"words".into(), &0.into()), "{envelope}");
    assert!(envelope["work"]["cpu_ns"].as_u64() > Some(0), "{envelope}");
    assert_eq!(daemon.post("/fn/task", "Content-Type: text/plain\n\nwords").text(), "words");
    let long = "x".repeat(1 << 20);
    assert_eq!(daemon.post("/invoke/task", &long).output(), long.as_str());

    let output = run_file(guests::path("task"), &["an argument"]);
    assert_eq!(output.status.code(), Some(1), "it fails if it has one: {}", stderr(&output));

    let daemon = Daemon::shared(&["--limits-stdout 1KiB"]);
    daemon.post("/invoke/task", &long).expect_problem(500, "output-too-large");
}

fn run_file(path: PathBuf, arguments: &[&str]) -> Output {
    run(nebula().args(["run", "--source", "model"]).arg(path).args(arguments))
}

#[test]
fn every_kind_runs_from_its_file() {
    for (name, _, _) in KINDS.iter().filter(|(name, ..)| *name != "answer") {
        let output = run_file(guests::sample(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert_eq!(str::from_utf8(&output.stdout), Ok("Hello, World!\n"), "{name}");
        assert!(stderr(&output).contains("ms CPU; source model"), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_failed_answer_of_a_module_that_runs_has_an_exit_code_and_a_reason() {
    let (echo, misbehave) = (guests::sample("http-echo"), guests::path("misbehave"));
    for (file, path, code, output, why) in [
        (
            &echo,
            "/?url=nothing",
            1,
            "expected `?url=` with an http or https URL\n",
            "nebula: the module answered with status 400",
        ),
        (&misbehave, "/silent", 1, "", "nebula: the module sent no answer"),
        (&misbehave, "/refuse", 1, "", "nebula: the module failed to answer: ErrorCode::InternalError(None)"),
        (&misbehave, "/late", 134, "", "nebula: the module trapped"),
    ] {
        let run = run_file(file.clone(), &[path]);
        assert_eq!(run.status.code(), Some(code), "{path}: {}", stderr(&run));
        assert!(output.is_empty() || stdout(&run) == output, "{path}: {}", stdout(&run));
        assert!(stderr(&run).contains(why), "{path}: {}", stderr(&run));
    }
}
