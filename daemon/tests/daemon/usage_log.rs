//! The usage log: a line for each settled call.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, nebula, run, stderr};
use crate::waiting::until;

const SIZE: u64 = 4096;

#[test]
fn every_call_has_a_line_and_a_full_file_is_followed_by_another() {
    const CALLS: usize = 60;
    let folder = TempDir::with_prefix_in("log-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("usage.ndjson");
    let path = file.to_str().unwrap();
    let options = ["--source", "model", "--window", "20ms", "--usage-log", path, "--usage-log-size", "4KiB"];
    let mut sums = 0;
    for _ in 0..2 {
        let daemon = Daemon::start(&options);
        until("a window is closed", || daemon.get("/invoke/add?input=1,1").json()["energy"]["state"] == "estimated");
        for _ in 0..CALLS / 2 {
            daemon.get("/invoke/prime-number?input=100");
        }
        let settled = || daemon.metrics().sum("nebula_invocation_energy_joules_count", &[("function", "prime-number")]);
        until("the calls are settled", || settled() == (CALLS / 2) as f64);
        sums += daemon.metrics().microjoules(
            "nebula_function_energy_joules_total",
            &[("function", "prime-number"), ("component", "active")],
        );
        daemon.stop();
    }
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3, "{files:?}");
    let (mut calls, mut active) = (BTreeSet::new(), 0);
    for file in &files {
        assert!(file.metadata().unwrap().len() <= SIZE, "{file:?}");
        for line in fs::read_to_string(file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if line["function"] == "prime-number" {
                assert_eq!((&line["outcome"], &line["source"]), (&"ok".into(), &"model".into()));
                assert!(calls.insert(line["invocation_id"].as_str().unwrap().to_owned()));
                active += line["active_microjoules"].as_u64().unwrap();
            }
        }
    }
    assert_eq!(calls.len(), CALLS);
    // The lines are the account, to the microjoule.
    assert_eq!(active, sums);
}

#[test]
fn a_log_that_cannot_be_written_is_a_mistake_at_the_start() {
    let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--usage-log", "/nowhere/at/all"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`/nowhere/at/all` (`usage.log`)"), "{}", stderr(&output));
}
