//! The log, and what guests can write to it.

use crate::prelude::*;

/// It would clear a terminal, turn its text red, and fake a line.
const ATTACK: &str = "\x1b[2J\x1b[31mred\r2026-01-01 ERROR faked\x07\u{9b}1mcsi\nsecond line";

#[test]
fn guests_cannot_write_control_characters_to_the_log() {
    let daemon = Daemon::with_guests(&[]);
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
    let daemon = Daemon::with_guests(&["--log-format json"]);
    daemon.post("/invoke/complain", ATTACK);
    until("it is logged", || daemon.log().contains("second line"));
    let log = daemon.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log}");
    let guest: Vec<_> = lines.iter().filter(|line| line["target"] == "nebula::guest").collect();
    assert!(guest.iter().all(|line| line["function"] == "complain" && line["level"] == "INFO"), "{log}");
    let messages: Vec<_> = guest.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let first = "\\u{1b}[2J\\u{1b}[31mred\\u{d}2026-01-01 ERROR faked\\u{7}\\u{9b}1mcsi";
    assert_eq!(messages, [first, "second line"]);
}

#[test]
fn a_level_leaves_out_less_severe_lines() {
    let daemon = Daemon::with_guests(&["--log-level error"]);
    daemon.post("/invoke/complain", "words");
    assert_eq!(daemon.stop(), "");
}

#[test]
fn the_lines_that_a_call_logs_are_bounded() {
    let daemon = Daemon::with_guests(&[]);
    let logged = || daemon.log().matches("complain").count();
    // Beyond a hundred, one line says that others are left out.
    for (written, expected) in [(100, 100), (101, 101), (50_000, 101)] {
        let before = logged();
        daemon.post("/invoke/complain", format!("{}end\n", "\n".repeat(written - 1)));
        until("it is logged", || logged() >= before + expected);
        assert_eq!(logged(), before + expected, "{written} lines");
    }
}
