//! The access log: one line for each answer.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, nebula, run, stderr};
use crate::waiting::until;

struct Logged {
    daemon: Daemon,
    file: PathBuf,
    _folder: TempDir,
}

impl Logged {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access.log");
        let access = ["--source", "model", "--window", "20ms", "--log-access", file.to_str().unwrap()];
        Self { daemon: Daemon::with_guests(&[&access, options].concat()), file, _folder: folder }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_json_line_tells_the_request_the_answer_the_call_and_its_joules() {
    let logged = Logged::start(&["--log-access-format", "json"]);
    let daemon = &logged.daemon;
    until("there are estimates", || daemon.get("/invoke/answer").json()["energy"]["state"] == "estimated");
    let answer = daemon.request("GET", "/invoke/echo?input=a%20b", &["x-request-id: seven", "user-agent: test/1"], b"");
    let envelope = answer.json();
    let line = || {
        let lines = logged.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        lines.into_iter().find(|line| line["request_id"] == "seven")
    };
    until("it is logged", || line().is_some());
    let line = line().unwrap();
    for (name, value) in [
        ("method", "GET".into()),
        ("target", "/invoke/echo?input=a%20b".into()),
        ("http", "1.1".into()),
        ("remote", "127.0.0.1".into()),
        ("status", Value::from(200)),
        ("bytes", answer.body.len().into()),
        ("user_agent", "test/1".into()),
        ("function", "echo".into()),
        ("outcome", "ok".into()),
        ("invocation_id", envelope["invocation_id"].clone()),
        ("energy_joules", envelope["energy_joules"].clone()),
        ("energy_state", "estimated".into()),
    ] {
        assert_eq!(line[name], value, "{name} of {line}");
    }
    assert!(line["duration_us"].as_u64().is_some_and(|time| time > 0), "{line}");
}

#[test]
fn a_combined_line_is_one_that_tools_read() {
    let logged = Logged::start(&[]);
    logged.daemon.get("/healthz");
    logged.daemon.request("GET", "/invoke/unreachable", &["referer: \"q\"", "x-request-id: r"], b"");
    until("both are logged", || logged.lines().len() >= 2);
    let lines = logged.lines();
    assert!(
        lines[0].starts_with("127.0.0.1 - - [") && lines[0].contains("\"GET /healthz HTTP/1.1\" 200 3 \"-\" \"-\" \"")
    );
    assert!(lines[0].contains("\" - - "), "it called nothing: {}", lines[0]);
    assert!(lines[1].contains("\"GET /invoke/unreachable HTTP/1.1\" 500 "), "{}", lines[1]);
    assert!(lines[1].contains(" \"\\\"q\\\"\" \"-\" \"r\" unreachable "), "{}", lines[1]);
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew_at_a_hangup_and_nothing_is_lost() {
    let logged = Logged::start(&[]);
    let count = |file: &PathBuf| fs::read_to_string(file).unwrap_or_default().lines().count();
    for _ in 0..10 {
        logged.daemon.get("/healthz");
    }
    until("ten are logged", || count(&logged.file) == 10);
    let moved = logged.file.with_extension("1");
    fs::rename(&logged.file, &moved).unwrap();
    logged.daemon.get("/healthz");
    until("it goes on in the old file", || count(&moved) == 11);
    logged.daemon.signal(Signal::HUP);
    until("there is a new file", || logged.file.exists());
    logged.daemon.get("/readyz");
    until("it is in the new file", || count(&logged.file) == 1);
    assert_eq!(count(&moved), 11);
}

#[test]
fn what_was_answered_is_logged_before_the_daemon_ends() {
    let Logged { daemon, file, _folder } = Logged::start(&[]);
    for _ in 0..50 {
        daemon.get("/invoke/answer");
    }
    daemon.stop();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 50);
}

#[test]
fn a_log_on_stderr_stands_between_the_lines_of_the_other() {
    let daemon = Daemon::start(&["--source", "model", "--log-access", "stderr"]);
    daemon.get("/healthz");
    until("it is logged", || daemon.log().contains("\"GET /healthz HTTP/1.1\" 200 3 "));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_before_anything_is_served() {
    let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--log-access", "/nonexistent/access.log"]));
    assert!(!output.status.success() && stderr(&output).contains("`log.access`"), "{}", stderr(&output));
}
