//! The cap on the power of all functions: who waits, who is refused, and who goes on.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Response, read_to_end, request};
use crate::daemon::Daemon;
use crate::guests;
use crate::waiting::{eventually, until};

/// A tenth of what the model gives one busy processor.
const MAX: &str = "300mW";

fn folder() -> TempDir {
    let endless = guests::source("endless-loop");
    guests::folder_of(&[
        ("burner.wat", &*endless),
        ("burner.toml", "priority = 'high'\nlimits.wall = '4s'"),
        ("fibonacci-recursive.toml", "priority = 'low'"),
        ("hello-world.toml", "priority = 'high'"),
    ])
}

fn start(folder: &TempDir, options: &[&str]) -> Daemon {
    let functions = ["--source", "model", "--power-max", MAX, "--functions", folder.path().to_str().unwrap()];
    Daemon::start(&[&functions, options].concat())
}

/// Checks what all refusals for power have in common.
fn refused(response: &Response, priority: &str) {
    let problem = response.problem();
    assert_eq!((response.status, &problem["type"]), (503, &"urn:nebula:power-cap".into()), "{problem}");
    assert_eq!(response.header("retry-after"), Some("1"));
    let detail = problem["detail"].as_str().unwrap();
    let told = ["functions draw ", " W and may draw 0.3 W", &format!("calls of priority `{priority}` wait")];
    assert!(told.iter().all(|told| detail.contains(told)), "{detail}");
}

#[test]
fn calls_of_low_priority_are_refused_and_those_of_high_priority_go_on() {
    let folder = folder();
    let daemon = start(&folder, &["--limits-queue", "0"]);
    let done = AtomicBool::new(false);
    let low = || {
        let mut answers = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let answer = daemon.get("/invoke/fibonacci-recursive?input=30");
            if answer.status != 200 {
                // As a client that has been told to come later, only sooner.
                thread::sleep(Duration::from_millis(10));
            }
            answers.push(answer);
        }
        answers
    };
    let rejections = |priority| daemon.metrics().sum("nebula_power_cap_rejections_total", &[("priority", priority)]);
    let low = thread::scope(|scope| {
        let calls = [scope.spawn(low), scope.spawn(low)];
        until("calls of low priority are refused", || {
            assert_eq!(daemon.get("/invoke/hello-world").status, 200, "high priority, and hardly any power");
            thread::sleep(Duration::from_millis(20));
            rejections("low") >= 5.0
        });
        done.store(true, Ordering::Relaxed);
        calls.into_iter().flat_map(|call| call.join().unwrap()).collect::<Vec<_>>()
    });
    let (passed, others): (Vec<_>, Vec<_>) = low.iter().partition(|answer| answer.status == 200);
    assert!(!passed.is_empty());
    for answer in &others {
        refused(answer, "low");
    }
    assert_eq!(rejections("low"), others.len() as f64);
    assert_eq!(rejections("high"), 0.0);
    let rejected = [("function", "fibonacci-recursive"), ("outcome", "rejected")];
    assert_eq!(daemon.metrics().sum("nebula_invocations_total", &rejected), others.len() as f64);
    until("they are let in again", || daemon.get("/invoke/fibonacci-recursive?input=1").status == 200);
}

#[test]
fn a_long_call_keeps_the_power_up_and_others_wait_until_it_has_ended() {
    let folder = folder();
    let daemon = start(&folder, &["--limits-queue", "1", "--limits-queue-wait", "30s"]);
    let cap = || daemon.get("/energy").json()["power_cap"].clone();
    assert_eq!(cap()["max_watts"], 0.3);
    let mut burner = daemon.connect();
    burner.write_all(&request("GET", "/invoke/burner", &[], b"")).unwrap();
    let waits = |priority: &str| cap()["priorities"][priority]["waits"] == true;
    until("all priorities wait", || ["low", "normal", "high"].into_iter().all(waits));
    assert!(cap()["active_watts"].as_f64() > Some(0.3), "{}", cap());
    let waiting = |priority| daemon.metrics().sum("nebula_power_cap_waiting", &[("priority", priority)]);
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| daemon.get("/invoke/hello-world"));
        eventually("it waits, or the burner has ended", || {
            (waiting("high") == 1.0 || call.is_finished()).then_some(())
        });
        if waiting("high") == 1.0 {
            let second = daemon.get("/invoke/hello-world");
            if second.status != 200 {
                refused(&second, "high");
            }
        }
        call.join().unwrap()
    });
    assert_eq!((answer.status, &answer.json()["output"]), (200, &"Hello, World!\n".into()));
    let burnt = Response::parse(&read_to_end(&mut burner)).0;
    assert_eq!(burnt.problem()["type"], "urn:nebula:timeout", "a call that runs is not touched");
    until("nobody waits", || !["low", "normal", "high"].into_iter().any(waits));
    assert_eq!(daemon.get("/invoke/fibonacci-recursive?input=1").status, 200);
    let metrics = daemon.metrics();
    assert_eq!(metrics.sum("nebula_power_cap_watts", &[]), 0.3);
    assert_eq!(metrics.find("nebula_functions_active_watts", &[]).count(), 1);
}

#[test]
fn without_a_cap_there_is_nothing_of_it() {
    let daemon = Daemon::shared(&["--source", "model"]);
    assert!(daemon.get("/energy").json()["power_cap"].is_null());
    assert!(!daemon.metrics().text.contains("nebula_power_cap"));
}
