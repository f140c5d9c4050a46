//! The access log: one line for each answer.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::prelude::*;

/// A daemon with this format of its access log, and the folder that has the file `access.log`.
fn start(options: &[&str]) -> (TempDir, Daemon) {
    let folder = temporary_folder();
    let file = folder.path().join("access.log");
    let daemon = Daemon::with_guests(&[&["--window 20ms", "--log-access", file.to_str().unwrap()], options].concat());
    (folder, daemon)
}

fn lines(folder: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join("access.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_json_line_has_the_request_the_answer_and_the_call() {
    let (folder, daemon) = start(&["--log-access-format json"]);
    daemon.await_estimates();
    let answer = daemon.get_with("/invoke/echo?input=a%20b", &["x-request-id: seven", "user-agent: test/1"]);
    let envelope = answer.json();
    let line = eventually("it is logged", || {
        let mut lines = lines(&folder).into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        lines.find(|line| line["request_id"] == "seven")
    });
    assert_has(
        &line,
        &json!({
            "method": "GET",
            "target": "/invoke/echo?input=a%20b",
            "http": "1.1",
            "remote": "127.0.0.1",
            "status": 200,
            "bytes": answer.body.len(),
            "user_agent": "test/1",
            "function": "echo",
            "outcome": "ok",
            "invocation_id": envelope["invocation_id"],
            "energy_joules": envelope["energy_joules"],
            "energy_state": "estimated",
        }),
    );
    assert!(line["duration_us"].as_u64().is_some_and(|time| time > 0), "{line}");
}

#[test]
fn a_combined_line_is_one_that_tools_read() {
    let (folder, daemon) = start(&[]);
    daemon.get("/healthz");
    daemon.get_with("/invoke/unreachable", &["referer: \"q\"", "x-request-id: r"]);
    until("both are logged", || lines(&folder).len() >= 2);
    let [healthz, unreachable] = &lines(&folder)[..] else { panic!("{:?}", lines(&folder)) };
    assert!(healthz.starts_with("127.0.0.1 - - ["), "{healthz}");
    assert!(healthz.contains("\"GET /healthz HTTP/1.1\" 200 3 \"-\" \"-\" \""), "{healthz}");
    assert!(healthz.contains("\" - - "), "it called nothing: {healthz}");
    assert!(unreachable.contains("\"GET /invoke/unreachable HTTP/1.1\" 500 "), "{unreachable}");
    assert!(unreachable.contains(" \"\\\"q\\\"\" \"-\" \"r\" unreachable "), "{unreachable}");
}

#[test]
fn after_a_hangup_a_new_file_is_begun_and_nothing_is_lost() {
    let (folder, daemon) = start(&[]);
    let count = |file: &Path| fs::read_to_string(file).unwrap_or_default().lines().count();
    let (file, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    for _ in 0..10 {
        daemon.get("/healthz");
    }
    until("ten are logged", || count(&file) == 10);
    fs::rename(&file, &moved).unwrap();
    daemon.get("/healthz");
    until("it goes on in the old file", || count(&moved) == 11);
    daemon.signal(Signal::HUP);
    until("there is a new file", || file.exists());
    daemon.get("/readyz");
    until("it is in the new file", || count(&file) == 1);
    assert_eq!(count(&moved), 11);
}

#[test]
fn every_answer_is_logged_before_the_daemon_ends() {
    let (folder, daemon) = start(&[]);
    for _ in 0..50 {
        daemon.get("/invoke/answer");
    }
    daemon.stop();
    assert_eq!(lines(&folder).len(), 50);
}

#[test]
fn the_access_log_can_go_to_stderr() {
    let daemon = Daemon::start(&["--log-access stderr"]);
    daemon.get("/healthz");
    until("it is logged", || daemon.log().contains("\"GET /healthz HTTP/1.1\" 200 3 "));
}
