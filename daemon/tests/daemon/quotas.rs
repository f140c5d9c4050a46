//! Quotas: calls per second, concurrent calls and joules within an hour, and what callers learn about them.

use std::io::Write;
use std::thread;
use std::time::Instant;

use crate::prelude::*;

/// A daemon that can estimate, whose built-in functions have these manifests. It serves `sleeper` and `endless-loop` too.
fn start(manifests: &[(&str, &str)], options: &[&str]) -> Daemon {
    let guests = ["sleeper", "endless-loop"].map(|name| (format!("{name}.wat"), guests::source(name)));
    let manifests = manifests.iter().map(|(name, manifest)| (format!("{name}.toml"), (*manifest).to_owned()));
    let files: Vec<_> = guests.into_iter().chain(manifests).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text)).collect();
    let daemon = Daemon::with_files(&files, options);
    daemon.await_estimates();
    daemon
}

/// Checks that a call was refused, and gives the seconds after which the next one is worth trying.
fn refused(response: &Response, quota: &str) -> u64 {
    let problem = response.expect_problem(429, &format!("quota-{quota}"));
    let seconds = response.header("retry-after").unwrap();
    assert_detail(&problem, "the function `");
    assert_detail(&problem, &format!("try again in {seconds} s"));
    seconds.parse().unwrap()
}

fn rejections(daemon: &Daemon, function: &str, quota: &str) -> f64 {
    let labels = [("function", function), ("quota", quota), ("of", "function")];
    daemon.metric("nebula_quota_rejections_total", &labels)
}

#[test]
fn calls_per_second_are_bounded() {
    let daemon = start(&[("hello-world", "quota.calls_per_second = 1")], &[]);
    let begun = Instant::now();
    let answers: Vec<_> = (0..20).map(|_| daemon.get("/invoke/hello-world")).collect();
    let seconds = begun.elapsed().as_secs() as usize;
    let (passed, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!((1..=seconds + 1).contains(&passed.len()), "{} in {seconds} s", passed.len());
    assert!(others.iter().all(|answer| refused(answer, "calls-per-second") == 1));
    assert_eq!(rejections(&daemon, "hello-world", "calls_per_second"), others.len() as f64);
    assert_eq!(daemon.calls("hello-world", "rejected"), others.len() as f64);
    until("another second has another call", || daemon.get("/fn/hello-world").status == 200);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "no other function is bounded");
    let quota = &daemon.get("/functions/hello-world").json()["quota"];
    assert_eq!(quota["calls_per_second"], json!({ "limit": 1 }));
    assert_eq!(quota["joules_per_hour"], json!({ "limit": null, "used": null, "resumes_in_seconds": null }));
}

#[test]
fn concurrent_calls_are_bounded() {
    let daemon =
        start(&[("sleeper", "[limits]\nconcurrency = 1\n[quota]\nconcurrency = 2")], &["--quota-concurrency 3"]);
    let used = |function: &str| daemon.get(&format!("/functions/{function}")).json()["quota"]["concurrency"].clone();
    assert_eq!(used("sleeper"), json!({ "limit": 2, "used": 0 }), "the manifest goes before the option");
    assert_eq!(used("answer"), json!({ "limit": 3, "used": 0 }));
    // The second waits for its turn (`limits.concurrency`), and counts.
    let callers = [0, 1].map(|_| daemon.begin("/invoke/sleeper?input=20000"));
    until("both are there", || used("sleeper")["used"] == 2);
    assert_eq!(refused(&daemon.get("/invoke/sleeper?input=1"), "concurrency"), 1);
    assert_eq!(rejections(&daemon, "sleeper", "concurrency"), 1.0);
    assert_eq!(rejections(&daemon, "answer", "concurrency"), 0.0);
    drop(callers);
    until("they end with their callers", || used("sleeper")["used"] == 0);
    assert_eq!(daemon.get("/invoke/sleeper?input=1").status, 200);
}

#[test]
fn joules_within_an_hour_are_bounded() {
    let daemon = start(&[("fibonacci-recursive", "quota.joules_per_hour = '5mJ'")], &["--window 20ms"]);
    let quota = || daemon.get("/functions/fibonacci-recursive").json()["quota"]["joules_per_hour"].clone();
    assert_eq!(quota(), json!({ "limit": 0.005, "used": 0.0, "resumes_in_seconds": 0.0 }));
    let call = daemon.get("/invoke/fibonacci-recursive?input=35");
    assert_eq!(call.status, 200, "a call that uses up the hour finishes");
    let seconds = refused(&daemon.get("/invoke/fibonacci-recursive?input=1"), "joules-per-hour");
    assert!((3500..=3660).contains(&seconds), "{seconds}");
    let settled = daemon.settled_invocation(&call.json());
    until("the estimate is corrected", || quota()["used"] == settled["energy"]["active_joules"]);
    let used = quota()["used"].as_f64().unwrap();
    let ratio = [("function", "fibonacci-recursive")];
    let shown = daemon.metric("nebula_quota_joules_used_ratio", &ratio);
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
fn a_call_whose_caller_disconnects_counts_once_it_is_settled() {
    let daemon = start(&[("endless-loop", "quota.joules_per_hour = '1mJ'")], &["--window 20ms"]);
    let caller = daemon.begin("/invoke/endless-loop");
    let cpu = || daemon.metric("nebula_function_cpu_seconds_total", &[("function", "endless-loop")]);
    until("it has computed", || cpu() > 0.01);
    drop(caller);
    until("it is paid for", || {
        daemon.get("/functions/endless-loop").json()["quota"]["joules_per_hour"]["used"].as_f64() > Some(0.001)
    });
    refused(&daemon.get("/invoke/endless-loop"), "joules-per-hour");
}

#[test]
fn the_option_gives_each_function_a_quota_of_its_own() {
    let daemon = start(&[], &["--quota-joules-per-hour 100mJ"]);
    until("one has used it up", || daemon.get("/invoke/fibonacci-recursive?input=32").status == 429);
    assert_eq!(daemon.get("/invoke/hello-world").status, 200);
}

#[test]
fn a_quota_does_not_reveal_joules_that_are_for_operators() {
    let daemon = Daemon::with_files(
        &[("fibonacci-recursive.toml", "quota.joules_per_hour = '1uJ'")],
        &["--window 20ms --admin-listen 127.0.0.1:0 --energy-expose operators"],
    );
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
fn without_a_meter_a_quota_of_joules_has_no_effect() {
    let manifest = "quota.joules_per_hour = 1e-6\nquota.calls_per_second = 1000";
    let daemon = Daemon::with_files(&[("hello-world.toml", manifest)], &["--source off"]);
    assert!((0..3).all(|_| daemon.get("/invoke/hello-world").status == 200));
    let log = daemon.stop();
    assert!(log.contains("`quota.joules_per_hour` of `hello-world` has no effect"), "{log}");
}

#[test]
fn a_quota_of_concurrent_calls_holds_for_every_endpoint() {
    let daemon = start(&[("hello-http", "quota.concurrency = 1"), ("sleeper", "quota.concurrency = 1")], &[]);
    let answers: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| daemon.get("/fn/hello-http"))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(answers.iter().any(|answer| answer.status == 200));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused(answer, "concurrency"), 1);
    }
    // An answer can be complete a moment before its function has ended.
    until("each gave its place back", || daemon.get("/fn/hello-http").status == 200);
    let mut caller = daemon.connect();
    caller.write_all(&request("POST", "/fn/sleeper", &[], b"1000")).unwrap();
    let concurrency = || daemon.get("/functions/sleeper").json()["quota"]["concurrency"]["used"].clone();
    until("it runs", || concurrency() == 1);
    for target in ["/fn/sleeper", "/invoke/sleeper?input=1", "/api/sleeper/1"] {
        refused(&daemon.get(target), "concurrency");
    }
    assert_eq!(answer(&mut caller).status, 200);
}
