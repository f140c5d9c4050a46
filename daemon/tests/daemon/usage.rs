//! Stored accounts, which survive kills, full disks and damaged files, and the log of settled calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nebula_api::usage::Report;
use rusqlite::Connection;

use crate::daemon::CACHE;
use crate::prelude::*;
use crate::small_disk::SmallDisk;

/// A daemon that keeps its state here, and compiled code in the cache of the suite.
fn start(state: &Path, options: &[&str]) -> Daemon {
    let state = state.to_str().unwrap();
    let common = ["--state", state, "--cache-dir", CACHE, "--window 20ms"];
    Daemon::start(&[&common, options].concat())
}

fn database(state: &Path) -> PathBuf {
    state.join("usage.sqlite")
}

fn usage(daemon: &Daemon, query: &str) -> Report {
    let answer = daemon.get(&format!("/usage?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn report(options: &[&str]) -> String {
    let output = run(nebula().arg("report").args(options));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The stored report, whether or not a daemon runs.
fn stored(state: &Path) -> Report {
    let report = report(&["--since", "all", "--state", state.to_str().unwrap(), "--format", "json"]);
    serde_json::from_str(&report).unwrap()
}

fn flushes(daemon: &Daemon, result: &str) -> f64 {
    daemon.metric("nebula_usage_flushes_total", &[("result", result)])
}

fn await_flush(daemon: &Daemon) {
    // One that began before now, and one after it.
    let before = flushes(daemon, "stored");
    until("accounts are stored", || flushes(daemon, "stored") >= before + 2.0);
}

/// The database is intact, and in each zone and hour the accounts add up to what was measured.
fn assert_sound(state: &Path) {
    let connection = Connection::open(database(state)).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let unbalanced = "SELECT COUNT(*) FROM zone_energy e WHERE total_uj <> runtime_uj + host_uj + base_uj + gap_uj + \
                      (SELECT COALESCE(SUM(active_uj + preparing_uj), 0) FROM function_energy f \
                      WHERE f.hour = e.hour AND f.zone = e.zone)";
    let unbalanced: i64 = connection.query_row(unbalanced, [], |row| row.get(0)).unwrap();
    assert_eq!(unbalanced, 0);
    let rows: i64 = connection.query_row("SELECT COUNT(*) FROM zone_energy", [], |row| row.get(0)).unwrap();
    assert!(rows > 0);
}

#[test]
fn a_kill_under_load_loses_no_more_than_a_flush_and_counters_go_on() {
    let folder = temporary_folder();
    let state = folder.path();
    let options = ["--usage-flush 100ms"];
    let calls = |report: &Report| report.total.calls;
    let mut last = 0;
    for _ in 0..3 {
        let daemon = start(state, &options);
        let load = Load::on(&daemon, &["/invoke/fibonacci-recursive?input=18", "/invoke/answer"]);
        until("there are calls", || calls(&usage(&daemon, "since=all")) > last + 10);
        let metrics = daemon.metrics();
        await_flush(&daemon);
        let reported = usage(&daemon, "since=all");
        daemon.kill();
        drop(load);
        assert_sound(state);
        let kept = stored(state);
        assert!(calls(&kept) >= calls(&reported), "{} of {}", calls(&kept), calls(&reported));
        assert!(kept.total.active_microjoules >= reported.total.active_microjoules);
        assert!(kept.machine[0].total_microjoules >= reported.machine[0].total_microjoules);
        last = calls(&kept);

        let again = start(state, &options);
        let after = again.metrics();
        for (name, label) in [
            (FUNCTION_ENERGY, "fibonacci-recursive"),
            ("nebula_function_cpu_seconds_total", "fibonacci-recursive"),
            ("nebula_invocations_total", "answer"),
            ("nebula_cold_starts_total", "answer"),
        ] {
            let value = |metrics: &Exposition| metrics.sum(name, &[("function", label)]);
            assert!(value(&metrics) > 0.0 && value(&after) >= value(&metrics), "{name} went back");
        }
        let zones = |metrics: &Exposition| metrics.microjoules(ZONE_ENERGY, &[]);
        let accounts = |labels: &[_]| after.microjoules(ACCOUNT_ENERGY, labels);
        assert_eq!(zones(&after), accounts(&[]));
        assert_eq!(after.charged_to_functions(&[]), accounts(&[("account", "function")]));
        assert!(zones(&after) >= zones(&metrics));
        again.stop();
        last = last.max(calls(&stored(state)));
    }
}

#[test]
fn everything_counted_is_stored_on_shutdown() {
    let folder = temporary_folder();
    let mut counted = 0;
    for round in 1..=2 {
        // No flush but the last.
        let options = ["--usage-flush 1h --functions", guests::folder()];
        let daemon = start(folder.path(), &options);
        for _ in 0..7 {
            daemon.get("/invoke/answer");
            daemon.get("/invoke/unreachable");
            counted += 1;
        }
        daemon.stop();
        let report = stored(folder.path());
        let row = |name: &str| report.rows.iter().find(|row| row.function.as_deref() == Some(name)).unwrap();
        let (answer, unreachable) = (row("answer"), row("unreachable"));
        assert_eq!((answer.calls, answer.errors, answer.cold_starts), (counted, 0, round));
        assert_eq!((unreachable.calls, unreachable.errors, unreachable.outcomes.trap), (counted, counted, counted));
        assert!(answer.cpu_seconds.unwrap() > 0.0 && answer.share.unwrap() < 1.0);
        assert!(answer.active_joules_uncertainty.is_some_and(|joules| joules > 0.0), "{answer:?}");
        assert_eq!(answer.gco2e, None);
        assert!(
            report
                .notes
                .iter()
                .any(|note| note == "model: the joules are an estimate, not measured, and rank by CPU time")
        );
    }
    assert_sound(folder.path());
}

#[test]
fn unmeasured_calls_have_no_joules_and_are_counted() {
    let folder = temporary_folder();
    let daemon = start(folder.path(), &["--source off"]);
    daemon.get("/invoke/answer");
    daemon.stop();
    let row = stored(folder.path()).rows.remove(0);
    assert_eq!((row.calls, row.unmeasured_calls), (1, 1));
    assert_eq!((row.active_joules, row.joules_per_call, row.share, row.cpu_seconds), (None, None, None, None));
}

#[test]
fn reports_come_as_table_csv_or_json_from_the_daemon_or_from_the_file() {
    let folder = temporary_folder();
    let daemon = start(folder.path(), &["--usage-flush 100ms"]);
    daemon.get("/invoke/fibonacci-recursive?input=20");
    until("the call is stored", || usage(&daemon, "").total.calls == 1);
    let asked = |options: &[&str]| report(&[&["--daemon", &daemon.url()], options].concat());
    let table = asked(&[]);
    assert!(table.contains("fibonacci-recursive") && table.contains("TOTAL") && table.contains("gCO2e"), "{table}");
    assert!(table.contains("model: the joules are an estimate, not measured, and rank by CPU time"), "{table}");
    let csv = asked(&["--format", "csv", "--by", "version", "--since", "36h"]);
    let version = daemon.get("/functions/fibonacci-recursive").json()["version"].as_str().unwrap().to_owned();
    assert!(csv.lines().any(|line| line.starts_with(&format!("fibonacci-recursive,{version},"))), "{csv}");
    assert_eq!(csv.lines().last().unwrap().split(',').next(), Some("TOTAL"));
    let hours: Value =
        serde_json::from_str(&asked(&["--format", "json", "--by", "hour", "--policy", "usage"])).unwrap();
    assert_eq!((&hours["policy"], &hours["by"]), (&"usage".into(), &"hour".into()));
    let answer = daemon.get("/usage?format=csv&by=hour");
    assert!(answer.header("content-type").unwrap().starts_with("text/csv"));
    // Beside a daemon that runs.
    let beside = stored(folder.path());
    assert_eq!(beside.total.calls, 1);
    daemon.stop();
    let after = stored(folder.path());
    assert!(after.machine[0].total_microjoules >= beside.machine[0].total_microjoules);
    let text = report(&["--since", "all", "--state", folder.path().to_str().unwrap()]);
    assert!(text.starts_with("Energy of functions from the beginning, as stored until "), "{text}");
}

#[test]
fn bad_queries_are_refused_with_the_choices() {
    let daemon = Daemon::shared(&["--window 20ms"]);
    for (query, hint) in [
        ("since=tomorrow", "2026-11-01"),
        ("since=-1d", "7d"),
        ("by=day", "function, version, hour"),
        ("format=xml", "json, csv"),
        ("sinc=7d", "since, by, policy and format"),
    ] {
        assert_detail(&daemon.get(&format!("/usage?{query}")).expect_problem(400, "bad-request"), hint);
    }
    assert_eq!(daemon.post("/usage", "").status, 405);
    for (options, code) in [(&["--since", "soon"][..], 64), (&["--by", "day"], 64), (&["--state", "/nowhere"], 1)] {
        let output = run(nebula().arg("report").args(options));
        assert_eq!(output.status.code(), Some(code), "{options:?}: {}", stderr(&output));
    }
}

#[test]
fn without_stored_accounts_the_answer_says_why() {
    let daemon = Daemon::start(&["--usage-keep 0"]);
    assert_detail(&daemon.get("/usage").expect_problem(404, "no-accounts"), "`usage.keep` is 0");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let folder = temporary_folder();
    let daemon = start(folder.path(), &[]);
    let state = folder.path().to_str().unwrap();
    let error = start_error(&["--state", state], 1);
    let pid = fs::read_to_string(folder.path().join("lock")).unwrap();
    let expected = format!("another daemon (process {}) keeps its state in `{state}`", pid.trim());
    assert!(error.contains(&expected) && error.contains("--state DIR"), "{error}");
    assert_eq!(daemon.get("/invoke/answer").status, 200);
    daemon.kill();
    // A daemon that was killed holds its lock no longer.
    start(folder.path(), &[]).stop();
}

#[test]
fn a_damaged_file_is_set_aside_and_logged_as_an_error() {
    let folder = temporary_folder();
    let garbage = "no database at all, however long one looks at it. ".repeat(1000);
    fs::write(database(folder.path()), &garbage).unwrap();
    let daemon = start(folder.path(), &["--usage-flush 100ms"]);
    daemon.get("/invoke/answer");
    until("accounts begin anew", || usage(&daemon, "since=all").total.calls == 1);
    let log = daemon.stop();
    let line = log.lines().find(|line| line.contains("is damaged")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("ERROR") && line.contains("usage.sqlite.broken-"), "{line}");
    let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.into_iter().find(|path| path.to_str().unwrap().contains(".broken-")).unwrap();
    assert_eq!(fs::read_to_string(aside).unwrap(), garbage);
    assert_sound(folder.path());
}

#[test]
fn a_newer_file_is_refused() {
    let folder = temporary_folder();
    let newer = Connection::open(database(folder.path())).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    let error = start_error(&["--state", folder.path().to_str().unwrap()], 1);
    assert!(error.contains("written by a newer nebula (schema 7"), "{error}");
}

#[test]
fn on_a_full_disk_calls_continue_and_accounts_are_stored_later() {
    let Some(small) = SmallDisk::mount("1m") else { return };
    let state = small.path().join("state");
    let daemon = start(&state, &["--usage-flush 500ms"]);
    let mut calls = 0;
    let mut call = || {
        assert_eq!(daemon.get("/invoke/answer").status, 200);
        calls += 1;
        calls
    };
    call();
    until("accounts are stored", || flushes(&daemon, "stored") > 0.0);
    small.fill();
    until("accounts cannot be stored", || {
        call();
        daemon.metric("nebula_usage_failing_seconds", &[]) > 0.0
    });
    assert!(flushes(&daemon, "failed") > 0.0);
    assert!(daemon.log().contains("cannot store accounts"), "{}", daemon.log());
    // What was stored can be read.
    assert!(usage(&daemon, "since=all").total.calls < call());
    small.make_room();
    until("accounts are stored again", || daemon.metric("nebula_usage_failing_seconds", &[]) == 0.0);
    let all = call();
    until("all calls are stored", || usage(&daemon, "since=all").total.calls == all);
    let log = daemon.stop();
    assert_eq!(log.matches("cannot store accounts").count(), 1, "{log}");
    assert!(log.contains("accounts are being stored again"), "{log}");
    assert_eq!(stored(&state).total.calls, all);
    assert_sound(&state);
}

#[test]
fn a_disk_that_is_full_at_the_start_does_not_stop_the_daemon() {
    let Some(small) = SmallDisk::mount("1m") else { return };
    let state = small.path().join("state");
    fs::create_dir(&state).unwrap();
    small.fill();
    let daemon = start(&state, &["--usage-flush 200ms"]);
    assert_eq!(daemon.get("/invoke/answer").status, 200);
    let log = daemon.log();
    assert!(log.contains("WARN") && log.contains("cannot store accounts in"), "{log}");
    small.make_room();
    until("the call is stored", || {
        let answer = daemon.get("/usage?since=all");
        answer.status == 200 && answer.json()["total"]["calls"] == 1
    });
    daemon.stop();
    assert_sound(&state);
}

#[test]
fn every_settled_call_has_a_line_in_the_usage_log_and_full_files_are_rotated() {
    const CALLS: usize = 60;
    let folder = temporary_folder();
    let file = folder.path().join("usage.ndjson");
    let options = ["--window 20ms --usage-log-size 4KiB", "--usage-log", file.to_str().unwrap()];
    let mut sums = 0;
    for _ in 0..2 {
        let daemon = Daemon::start(&options);
        daemon.await_estimates();
        for _ in 0..CALLS / 2 {
            daemon.get("/invoke/prime-number?input=100");
        }
        let settled = || daemon.metric("nebula_invocation_energy_joules_count", &[("function", "prime-number")]);
        until("the calls are settled", || settled() == (CALLS / 2) as f64);
        sums += daemon.metrics().microjoules(FUNCTION_ENERGY, &[("function", "prime-number"), ("component", "active")]);
        daemon.stop();
    }
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3, "{files:?}");
    let (mut calls, mut active) = (BTreeSet::new(), 0);
    for file in &files {
        assert!(file.metadata().unwrap().len() <= 4096, "{file:?}");
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
