//! What functions may use: calls a second, calls at once, joules within an hour; and what is told of it.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::client::{Response, read_to_end, request};
use crate::daemon::{Daemon, nebula, run, stderr};
use crate::guests;
use crate::waiting::{eventually, until};

/// Functions that come with the program, under these manifests, and the guests `sleeper` and `endless-loop`.
fn folder(manifests: &[(&str, &str)]) -> TempDir {
    let guests = ["sleeper", "endless-loop"].map(|name| (format!("{name}.wat"), guests::source(name)));
    let manifests = manifests.iter().map(|(name, manifest)| (format!("{name}.toml"), (*manifest).to_owned()));
    let files: Vec<_> = guests.into_iter().chain(manifests).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text)).collect();
    guests::folder_of(&files)
}

fn start(folder: &TempDir, options: &[&str]) -> Daemon {
    let daemon = Daemon::start(&[&["--functions", folder.path().to_str().unwrap()], options].concat());
    until("a window is closed", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    daemon
}

/// A call whose caller waits.
fn begin(daemon: &Daemon, target: &str) -> TcpStream {
    let mut caller = daemon.connect();
    caller.write_all(&request("GET", target, &[], b"")).unwrap();
    caller
}

/// Has checked what all refusals have in common, and gives the seconds after which the next call is worth trying.
fn refused(response: &Response, quota: &str) -> u64 {
    let problem = response.problem();
    assert_eq!(response.status, 429, "{problem}");
    assert_eq!(problem["type"], format!("urn:nebula:quota-{quota}"), "{problem}");
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("the function `") && detail.contains(&format!("try again in {seconds} s")), "{detail}");
    seconds
}

fn rejections(daemon: &Daemon, function: &str, quota: &str) -> f64 {
    let labels = [("function", function), ("quota", quota), ("of", "function")];
    daemon.metrics().sum("nebula_quota_rejections_total", &labels)
}

#[test]
fn calls_beyond_those_of_a_second_are_refused_until_it_is_over() {
    let folder = folder(&[("hello-world", "quota.calls_per_second = 1")]);
    let daemon = start(&folder, &["--source", "model"]);
    let begun = Instant::now();
    let answers: Vec<_> = (0..20).map(|_| daemon.get("/invoke/hello-world")).collect();
    let seconds = begun.elapsed().as_secs() as usize;
    let (passed, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!((1..=seconds + 1).contains(&passed.len()), "{} in {seconds} s", passed.len());
    assert!(others.iter().all(|answer| refused(answer, "calls-per-second") == 1));
    assert_eq!(rejections(&daemon, "hello-world", "calls_per_second"), others.len() as f64);
    let rejected = [("function", "hello-world"), ("outcome", "rejected")];
    assert_eq!(daemon.metrics().sum("nebula_invocations_total", &rejected), others.len() as f64);
    until("another second has another call", || daemon.get("/fn/hello-world").status == 200);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "no other function is bounded");
    let quota = &daemon.get("/functions/hello-world").json()["quota"];
    assert_eq!(quota["calls_per_second"], json!({ "limit": 1 }));
    assert_eq!(quota["joules_per_hour"], json!({ "limit": null, "used": null, "resumes_in_seconds": null }));
}

#[test]
fn calls_beyond_those_at_once_are_refused_until_one_has_ended() {
    let folder = folder(&[("sleeper", "[limits]\nconcurrency = 1\n[quota]\nconcurrency = 2")]);
    let daemon = start(&folder, &["--source", "model", "--quota-concurrency", "3"]);
    let used = |function: &str| daemon.get(&format!("/functions/{function}")).json()["quota"]["concurrency"].clone();
    assert_eq!(used("sleeper"), json!({ "limit": 2, "used": 0 }), "the manifest goes before the option");
    assert_eq!(used("answer"), json!({ "limit": 3, "used": 0 }));
    // The second waits for its turn (`limits.concurrency`), and counts.
    let callers = [0, 1].map(|_| begin(&daemon, "/invoke/sleeper?input=20000"));
    until("both are there", || used("sleeper")["used"] == 2);
    assert_eq!(refused(&daemon.get("/invoke/sleeper?input=1"), "concurrency"), 1);
    assert_eq!(rejections(&daemon, "sleeper", "concurrency"), 1.0);
    assert_eq!(rejections(&daemon, "answer", "concurrency"), 0.0);
    drop(callers);
    until("they end with their callers", || used("sleeper")["used"] == 0);
    assert_eq!(daemon.get("/invoke/sleeper?input=1").status, 200);
}

#[test]
fn joules_are_used_up_by_what_calls_are_charged_and_come_back_after_an_hour() {
    let folder = folder(&[("fibonacci-recursive", "quota.joules_per_hour = '5mJ'")]);
    let daemon = start(&folder, &["--source", "model", "--window", "20ms"]);
    let quota = || daemon.get("/functions/fibonacci-recursive").json()["quota"]["joules_per_hour"].clone();
    assert_eq!(quota(), json!({ "limit": 0.005, "used": 0.0, "resumes_in_seconds": 0.0 }));
    let call = daemon.get("/invoke/fibonacci-recursive?input=35");
    assert_eq!(call.status, 200, "a call that uses up the hour finishes");
    let seconds = refused(&daemon.get("/invoke/fibonacci-recursive?input=1"), "joules-per-hour");
    assert!((3500..=3660).contains(&seconds), "{seconds}");
    let id = call.json()["invocation_id"].as_str().unwrap().to_owned();
    let settled = eventually("it is settled", || {
        let call = daemon.get(&format!("/invocations/{id}")).json();
        (call["energy"]["state"] == "settled").then_some(call)
    });
    until("the estimate is corrected", || quota()["used"] == settled["energy"]["active_joules"]);
    let used = quota()["used"].as_f64().unwrap();
    let ratio = [("function", "fibonacci-recursive")];
    let shown = daemon.metrics().sum("nebula_quota_joules_used_ratio", &ratio);
    assert!(used > 0.005 && (shown - used / 0.005).abs() < 1e-9, "{used} {shown}");
    assert!(quota()["resumes_in_seconds"].as_f64() > Some(3400.0), "{}", quota());
    let refusal = daemon.get("/fn/fibonacci-recursive");
    refused(&refusal, "joules-per-hour");
    let detail = refusal.problem()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("of its 5.000 mJ of active energy per hour"), "{detail}");
    assert_eq!(rejections(&daemon, "fibonacci-recursive", "joules_per_hour"), 2.0);

    let deploy = |manifest: &str| {
        let answer = daemon.request("PUT", "/functions/fibonacci-recursive/manifest", &[], manifest.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["quota"]["joules_per_hour"]["used"].as_f64().unwrap()
    };
    assert_eq!(deploy("quota.joules_per_hour = '6mJ'"), used, "a new version forgets nothing");
    refused(&daemon.get("/fn/fibonacci-recursive"), "joules-per-hour");
    assert_eq!(deploy("quota.joules_per_hour = '1kJ'"), used);
    assert_eq!(daemon.get("/invoke/fibonacci-recursive?input=1").status, 200);
}

#[test]
fn a_call_whose_caller_goes_away_is_paid_for_when_it_is_settled() {
    let folder = folder(&[("endless-loop", "quota.joules_per_hour = '1mJ'")]);
    let daemon = start(&folder, &["--source", "model", "--window", "20ms"]);
    let caller = begin(&daemon, "/invoke/endless-loop");
    let cpu = || daemon.metrics().sum("nebula_function_cpu_seconds_total", &[("function", "endless-loop")]);
    until("it has computed", || cpu() > 0.01);
    drop(caller);
    until("it is paid for", || {
        daemon.get("/functions/endless-loop").json()["quota"]["joules_per_hour"]["used"].as_f64() > Some(0.001)
    });
    refused(&daemon.get("/invoke/endless-loop"), "joules-per-hour");
}

#[test]
fn each_function_has_what_the_option_gives_to_itself() {
    let daemon = start(&folder(&[]), &["--source", "model", "--quota-joules-per-hour", "100mJ"]);
    until("one has used it up", || daemon.get("/invoke/fibonacci-recursive?input=32").status == 429);
    assert_eq!(daemon.get("/invoke/hello-world").status, 200);
}

#[test]
fn where_joules_are_for_operators_nobody_else_learns_them_from_a_quota() {
    let folder = folder(&[("fibonacci-recursive", "quota.joules_per_hour = '1uJ'")]);
    let path = folder.path().to_str().unwrap().to_owned();
    let daemon = Daemon::start(&[
        "--source",
        "model",
        "--window",
        "20ms",
        "--admin-listen",
        "127.0.0.1:0",
        "--energy-expose",
        "operators",
        "--functions",
        &path,
    ]);
    let call = || daemon.get("/invoke/fibonacci-recursive?input=25");
    let refusal = eventually("it is refused", || Some(call()).filter(|answer| answer.status == 429));
    let detail = refusal.problem()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("has used its 1.0 µJ of active energy per hour"), "{detail}");
    let quota = daemon.get("/functions/fibonacci-recursive").json()["quota"]["joules_per_hour"].clone();
    assert!(quota["used"].is_null() && quota["reason"].is_string(), "{quota}");
    let quota = daemon.get_as_operator("/functions/fibonacci-recursive").json()["quota"]["joules_per_hour"].clone();
    assert!(quota["used"].as_f64() > Some(0.0), "{quota}");
}

#[test]
fn joules_cannot_be_bounded_where_nothing_is_measured() {
    for (option, value) in [("--power-max", "40W"), ("--quota-joules-per-hour", "5J")] {
        let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--source", "off", option, value]));
        assert_eq!(output.status.code(), Some(64));
        assert!(stderr(&output).contains(&format!("invalid value `{value}` for {option}: nothing is measured")));
    }
    let folder = folder(&[("hello-world", "quota.joules_per_hour = 1e-6\nquota.calls_per_second = 1000")]);
    let daemon = Daemon::start(&["--source", "off", "--functions", folder.path().to_str().unwrap()]);
    assert!((0..3).all(|_| daemon.get("/invoke/hello-world").status == 200));
    let log = daemon.stop();
    assert!(log.contains("`quota.joules_per_hour` of `hello-world` has no effect"), "{log}");
}

#[test]
fn a_quota_of_calls_at_once_holds_on_all_ways_to_a_function() {
    let folder = folder(&[("hello-http", "quota.concurrency = 1"), ("sleeper", "quota.concurrency = 1")]);
    let daemon = start(&folder, &["--source", "model"]);
    let answers: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| daemon.get("/fn/hello-http"))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(answers.iter().any(|answer| answer.status == 200));
    answers
        .iter()
        .filter(|answer| answer.status != 200)
        .for_each(|answer| assert_eq!(refused(answer, "concurrency"), 1));
    assert_eq!(daemon.get("/fn/hello-http").status, 200, "each gave its place back");
    let mut caller = daemon.connect();
    caller.write_all(&request("POST", "/fn/sleeper", &[], b"1000")).unwrap();
    let concurrency = || daemon.get("/functions/sleeper").json()["quota"]["concurrency"]["used"].clone();
    until("it runs", || concurrency() == 1);
    for target in ["/fn/sleeper", "/invoke/sleeper?input=1", "/api/sleeper/1"] {
        refused(&daemon.get(target), "concurrency");
    }
    assert_eq!(Response::parse(&read_to_end(&mut caller)).0.status, 200);
}
