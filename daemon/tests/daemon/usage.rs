//! Accounts that last: through kills, full disks and damaged files.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nebula_api::usage::Report;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{connect, read_to_end, request};
use crate::daemon::{CACHE, Daemon, nebula, run, stderr};
use crate::guests;
use crate::skipping::skipped;
use crate::waiting::until;

fn folder() -> TempDir {
    TempDir::with_prefix_in("usage-", env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A daemon that keeps its state there, and compiled code where all do.
fn start(state: &Path, options: &[&str]) -> Daemon {
    let state = state.to_str().unwrap();
    let common = ["--state", state, "--cache-dir", CACHE, "--source", "model", "--window", "20ms"];
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

/// What is stored, whether or not a daemon runs.
fn report(state: &Path, options: &[&str]) -> Vec<u8> {
    let output = run(nebula().args(["report", "--since", "all", "--state"]).arg(state).args(options));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output.stdout
}

fn stored(state: &Path) -> Report {
    serde_json::from_slice(&report(state, &["--format", "json"])).unwrap()
}

fn flushes(daemon: &Daemon, result: &str) -> f64 {
    daemon.metrics().sum("nebula_usage_flushes_total", &[("result", result)])
}

fn await_flush(daemon: &Daemon) {
    // One that began before now, and one after it.
    let before = flushes(daemon, "stored");
    until("accounts are stored", || flushes(daemon, "stored") >= before + 2.0);
}

/// The file is whole, and in each zone and hour the accounts are what was measured.
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

/// Calls without end, until it is dropped or the daemon is no more.
struct Load(Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

impl Load {
    fn on(daemon: &Daemon) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), daemon.address());
        let work = |path: &'static str| {
            let stop = stop.clone();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut stream) = connect(address) else { return };
                    if stream.write_all(&request("GET", path, &[], b"")).is_err() {
                        return;
                    }
                    read_to_end(&mut stream);
                }
            })
        };
        let threads = ["/invoke/fibonacci-recursive?input=18", "/invoke/answer"].map(work).into();
        Self(stop, threads)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn a_kill_under_load_loses_no_more_than_a_flush_and_counters_go_on() {
    let folder = folder();
    let state = folder.path();
    let options = ["--usage-flush", "100ms"];
    let calls = |report: &Report| report.total.calls;
    let mut last = 0;
    for _ in 0..3 {
        let daemon = start(state, &options);
        let load = Load::on(&daemon);
        until("there are calls", || calls(&usage(&daemon, "since=all")) > last + 10);
        let metrics = daemon.metrics();
        await_flush(&daemon);
        let said = usage(&daemon, "since=all");
        daemon.kill();
        drop(load);
        assert_sound(state);
        let kept = stored(state);
        assert!(calls(&kept) >= calls(&said), "{} of {}", calls(&kept), calls(&said));
        assert!(kept.total.active_microjoules >= said.total.active_microjoules);
        assert!(kept.machine[0].total_microjoules >= said.machine[0].total_microjoules);
        last = calls(&kept);

        let again = start(state, &options);
        let after = again.metrics();
        for (name, label) in [
            ("nebula_function_energy_joules_total", "fibonacci-recursive"),
            ("nebula_function_cpu_seconds_total", "fibonacci-recursive"),
            ("nebula_invocations_total", "answer"),
            ("nebula_cold_starts_total", "answer"),
        ] {
            let value = |metrics: &crate::exposition::Exposition| metrics.sum(name, &[("function", label)]);
            assert!(value(&metrics) > 0.0 && value(&after) >= value(&metrics), "{name} went back");
        }
        let total = |name: &str| after.microjoules(name, &[]);
        assert_eq!(total("nebula_zone_energy_joules_total"), total("nebula_account_energy_joules_total"));
        assert_eq!(
            after.charged_to_functions(&[]),
            after.microjoules("nebula_account_energy_joules_total", &[("account", "function")])
        );
        assert!(
            total("nebula_zone_energy_joules_total") >= metrics.microjoules("nebula_zone_energy_joules_total", &[])
        );
        again.stop();
        last = last.max(calls(&stored(state)));
    }
}

#[test]
fn everything_counted_is_stored_on_shutdown() {
    let folder = folder();
    let mut counted = 0;
    for round in 1..=2 {
        // No flush but the last.
        let options = ["--usage-flush", "1h", "--functions", guests::folder()];
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
        assert_eq!(answer.gco2e, None);
        assert!(report.notes.iter().any(|note| note == "model: the joules are an estimate, not measured"));
    }
    assert_sound(folder.path());
}

#[test]
fn unmeasured_calls_have_no_joules_and_are_counted() {
    let folder = folder();
    let state = folder.path().to_str().unwrap();
    let daemon = Daemon::start(&["--state", state, "--cache-dir", CACHE, "--source", "off"]);
    daemon.get("/invoke/answer");
    daemon.stop();
    let row = stored(folder.path()).rows.remove(0);
    assert_eq!((row.calls, row.unmeasured_calls), (1, 1));
    assert_eq!((row.active_joules, row.joules_per_call, row.share, row.cpu_seconds), (None, None, None, None));
}

#[test]
fn a_report_has_three_forms_and_is_the_same_from_the_daemon_and_from_the_file() {
    let folder = folder();
    let daemon = start(folder.path(), &["--usage-flush", "100ms"]);
    daemon.get("/invoke/fibonacci-recursive?input=20");
    until("the call is stored", || usage(&daemon, "").total.calls == 1);
    let url = format!("http://{}", daemon.address());
    let asked = |options: &[&str]| {
        let output = run(nebula().args(["report", "--daemon", &url]).args(options));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let table = asked(&[]);
    assert!(table.contains("fibonacci-recursive") && table.contains("TOTAL") && table.contains("gCO2e"), "{table}");
    assert!(table.contains("model: the joules are an estimate, not measured"), "{table}");
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
    let text = String::from_utf8(report(folder.path(), &[])).unwrap();
    assert!(text.starts_with("Energy of functions from the beginning, as stored until "), "{text}");
}

#[test]
fn bad_queries_are_refused_with_the_choices() {
    let daemon = Daemon::shared(&["--source", "model", "--window", "20ms"]);
    for (query, hint) in [
        ("since=tomorrow", "2026-11-01"),
        ("since=-1d", "7d"),
        ("by=day", "function, version, hour"),
        ("format=xml", "json, csv"),
        ("sinc=7d", "since, by, policy and format"),
    ] {
        let answer = daemon.get(&format!("/usage?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        let problem = answer.problem();
        assert!(problem["detail"].as_str().unwrap().contains(hint), "{problem}");
    }
    assert_eq!(daemon.post("/usage", "").status, 405);
    for (options, code) in [(&["--since", "soon"][..], 64), (&["--by", "day"], 64), (&["--state", "/nowhere"], 1)] {
        let output = run(nebula().arg("report").args(options));
        assert_eq!(output.status.code(), Some(code), "{options:?}: {}", stderr(&output));
    }
}

#[test]
fn without_stored_accounts_the_answer_says_why() {
    let daemon = Daemon::start(&["--source", "model", "--usage-keep", "0"]);
    let answer = daemon.get("/usage");
    assert_eq!((answer.status, &answer.problem()["type"]), (404, &"urn:nebula:no-accounts".into()));
    assert!(answer.problem()["detail"].as_str().unwrap().contains("`usage.keep` is 0"), "{}", answer.text());
    daemon.stop();
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let folder = folder();
    let daemon = start(folder.path(), &[]);
    let state = folder.path().to_str().unwrap();
    let second = || run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--source", "model", "--state", state]));
    let output = second();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let pid = fs::read_to_string(folder.path().join("lock")).unwrap();
    let expected = format!("another daemon (process {}) keeps its state in `{state}`", pid.trim());
    assert!(said.contains(&expected) && said.contains("--state DIR"), "{said}");
    assert!(output.stdout.is_empty(), "it has not listened");
    assert_eq!(daemon.get("/invoke/answer").status, 200);
    daemon.kill();
    // The lock of one that was killed is nobody's.
    start(folder.path(), &[]).stop();
}

#[test]
fn a_damaged_file_is_set_aside_and_logged_as_an_error() {
    let folder = folder();
    let garbage = "no database at all, however long one looks at it. ".repeat(1000);
    fs::write(database(folder.path()), &garbage).unwrap();
    let daemon = start(folder.path(), &["--usage-flush", "100ms"]);
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
    let folder = folder();
    let newer = Connection::open(database(folder.path())).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    let mut command = nebula();
    command.args(["serve", "--listen", "127.0.0.1:0", "--source", "model", "--state"]).arg(folder.path());
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("written by a newer nebula (schema 7"), "{}", stderr(&output));
}

/// A file system of a mebibyte.
struct Small(TempDir);

impl Small {
    /// `None` where it cannot be mounted.
    fn mount() -> Option<Self> {
        let folder = folder();
        let mut command = Command::new("mount");
        let mounted = command.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("full")).unwrap();
        for size in [4096, 1] {
            loop {
                match file.write(&[0; 4096][..size]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.path().join("full")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_calls_continue_and_accounts_are_stored_later() {
    let Some(small) = Small::mount() else {
        skipped("nothing can be mounted here: it takes root");
        return;
    };
    let state = small.0.path().join("state");
    let daemon = start(&state, &["--usage-flush", "500ms"]);
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
        daemon.metrics().sum("nebula_usage_failing_seconds", &[]) > 0.0
    });
    assert!(flushes(&daemon, "failed") > 0.0);
    assert!(daemon.log().contains("cannot store accounts"), "{}", daemon.log());
    // What was stored can be read.
    assert!(usage(&daemon, "since=all").total.calls < call());
    small.make_room();
    until("accounts are stored again", || daemon.metrics().sum("nebula_usage_failing_seconds", &[]) == 0.0);
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
    let Some(small) = Small::mount() else {
        skipped("nothing can be mounted here: it takes root");
        return;
    };
    let state = small.0.path().join("state");
    fs::create_dir(&state).unwrap();
    small.fill();
    let daemon = start(&state, &["--usage-flush", "200ms"]);
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
