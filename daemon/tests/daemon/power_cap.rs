//! The cap on the power of all functions: which calls wait, are refused or go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::prelude::*;

/// A daemon with a cap at a tenth of what the model gives one busy processor.
fn start(options: &[&str]) -> Daemon {
    let files = [
        ("burner.wat", &*guests::source("endless-loop")),
        ("burner.toml", "priority = 'high'\nlimits.wall = '4s'"),
        ("fibonacci-recursive.toml", "priority = 'low'"),
        ("hello-world.toml", "priority = 'high'"),
    ];
    Daemon::with_files(&files, &[&["--power-max 300mW"], options].concat())
}

/// Checks what all refusals for power have in common.
fn assert_refused(response: &Response, priority: &str) {
    let problem = response.expect_problem(503, "power-cap");
    assert_eq!(response.header("retry-after"), Some("1"));
    for part in ["functions draw ", " W and may draw 0.3 W", &format!("calls of priority `{priority}` wait")] {
        assert_detail(&problem, part);
    }
}

#[test]
fn calls_of_low_priority_are_refused_and_those_of_high_priority_go_on() {
    let daemon = start(&["--limits-queue 0"]);
    let done = AtomicBool::new(false);
    let low = || {
        let mut answers = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let answer = daemon.get("/invoke/fibonacci-recursive?input=30");
            if answer.status != 200 {
                // Clients retry, if not this soon.
                thread::sleep(Duration::from_millis(10));
            }
            answers.push(answer);
        }
        answers
    };
    let rejections = |priority| daemon.metric("nebula_power_cap_rejections_total", &[("priority", priority)]);
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
    let others: Vec<_> = low.iter().filter(|answer| answer.status != 200).collect();
    for answer in &others {
        assert_refused(answer, "low");
    }
    assert_eq!(rejections("low"), others.len() as f64);
    assert_eq!(rejections("high"), 0.0);
    assert_eq!(daemon.calls("fibonacci-recursive", "rejected"), others.len() as f64);
    until("they are let in again", || daemon.get("/invoke/fibonacci-recursive?input=1").status == 200);
}

#[test]
fn calls_wait_until_a_long_call_over_the_cap_has_ended() {
    let daemon = start(&["--limits-queue 1 --limits-queue-wait 30s"]);
    let cap = || daemon.get("/energy").json()["power_cap"].clone();
    assert_eq!(cap()["max_watts"], 0.3);
    let mut burner = daemon.begin("/invoke/burner");
    let waits = |priority: &str| cap()["priorities"][priority]["waits"] == true;
    until("all priorities wait", || ["low", "normal", "high"].into_iter().all(waits));
    assert!(cap()["active_watts"].as_f64() > Some(0.3), "{}", cap());
    let waiting = |priority| daemon.metric("nebula_power_cap_waiting", &[("priority", priority)]);
    let waited = thread::scope(|scope| {
        let call = scope.spawn(|| daemon.get("/invoke/hello-world"));
        until("it waits, or the burner has ended", || waiting("high") == 1.0 || call.is_finished());
        if waiting("high") == 1.0 {
            let second = daemon.get("/invoke/hello-world");
            if second.status != 200 {
                assert_refused(&second, "high");
            }
        }
        call.join().unwrap()
    });
    assert_eq!((waited.status, waited.output()), (200, "Hello, World!\n".into()));
    let burnt = answer(&mut burner);
    // A call that runs is not stopped.
    burnt.expect_problem(504, "timeout");
    until("nobody waits", || !["low", "normal", "high"].into_iter().any(waits));
    assert_eq!(daemon.get("/invoke/fibonacci-recursive?input=1").status, 200);
    let metrics = daemon.metrics();
    assert_eq!(metrics.sum("nebula_power_cap_watts", &[]), 0.3);
    assert_eq!(metrics.find("nebula_functions_active_watts", &[]).count(), 1);
}

#[test]
fn without_a_cap_nothing_mentions_it() {
    let daemon = Daemon::shared(&[]);
    assert!(daemon.get("/energy").json()["power_cap"].is_null());
    assert!(!daemon.metrics().text.contains("nebula_power_cap"));
}
