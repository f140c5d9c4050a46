//! What stands in the log, and what cannot.

use serde_json::Value;

use crate::daemon::Daemon;
use crate::waiting::until;

/// It would clear a terminal, turn its text red, and fake a line.
const ATTACK: &str = "\x1b[2J\x1b[31mred\r2026-01-01 ERROR faked\x07\u{9b}1mcsi\nsecond line";

#[test]
fn what_a_guest_writes_cannot_steer_a_terminal() {
    let daemon = Daemon::with_guests(&["--source", "model"]);
    let problem = daemon.post("/invoke/complain", ATTACK).problem();
    assert_eq!(problem["stderr"], ATTACK, "the caller gets it as it was: JSON escapes it");
    until("it is logged", || daemon.log().contains("second line"));
    let log = daemon.stop();
    assert!(log.contains("\\u{1b}[2J\\u{1b}[31mred") && log.contains("complain"), "{log}");
    assert!(log.chars().all(|character| !character.is_control() || character == '\n'), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01 ERROR")), "{log}");
}

#[test]
fn a_json_log_is_one_object_a_line() {
    let daemon = Daemon::with_guests(&["--source", "model", "--log-format", "json"]);
    daemon.post("/invoke/complain", ATTACK);
    until("it is logged", || daemon.log().contains("second line"));
    let log = daemon.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log}");
    let guest: Vec<_> = lines.iter().filter(|line| line["target"] == "nebula::guest").collect();
    assert!(guest.iter().all(|line| line["function"] == "complain" && line["level"] == "INFO"), "{log}");
    let said: Vec<_> = guest.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let first = "\\u{1b}[2J\\u{1b}[31mred\\u{d}2026-01-01 ERROR faked\\u{7}\\u{9b}1mcsi";
    assert_eq!(said, [first, "second line"]);
}

#[test]
fn a_level_leaves_out_what_is_less_severe() {
    let daemon = Daemon::with_guests(&["--source", "model", "--log-level", "error"]);
    daemon.post("/invoke/complain", "words");
    assert_eq!(daemon.stop(), "");
}

#[test]
fn a_call_can_log_only_so_many_lines() {
    let daemon = Daemon::with_guests(&["--source", "model"]);
    for (lines, told, left_out) in [(100, 100, false), (101, 100, true), (50_000, 100, true)] {
        let before = daemon.log().matches("complain").count();
        daemon.post("/invoke/complain", format!("{}end\n", "\n".repeat(lines - 1)));
        until("it is logged", || daemon.log().matches("complain").count() >= before + told + usize::from(left_out));
        let log = daemon.log();
        assert_eq!(log.matches("complain").count(), before + told + usize::from(left_out), "{lines} lines");
    }
}
