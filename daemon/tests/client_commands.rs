//! `nebula invoke` and `nebula list` against a real daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const NEBULA: &str = env!("CARGO_BIN_EXE_nebula");

/// Longest time until a daemon listens: many times what it takes in a debug build on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// Writes `oops` to stderr and exits with 7.
const EXITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\05\00\00\00")
    (data (i32.const 16) "oops\n")
    (func (export "_start")
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $exit (i32.const 7))))"#;

const TRAPS: &str = r#"(module (func (export "_start") unreachable))"#;

/// Writes its environment, a NUL byte after each variable.
const ENVIRONMENT: &str = r#"(module
    (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $sizes (i32.const 8) (i32.const 4)))
        (drop (call $get (i32.const 1024) (i32.const 4096)))
        (i32.store (i32.const 0) (i32.const 4096))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))"#;

/// A running daemon with the functions above. Ended by [`Daemon::end`], or killed where a test fails before.
struct Daemon {
    process: Child,
    url: String,
    _functions: TempDir,
    _state: TempDir,
}

impl Daemon {
    fn start() -> Self {
        let (functions, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, text) in [("exits", EXITS), ("traps", TRAPS), ("environment", ENVIRONMENT)] {
            fs::write(functions.path().join(name).with_extension("wat"), text).unwrap();
        }
        let mut process = Command::new(NEBULA)
            .env_clear()
            .env("NEBULA_STATE", state.path())
            .env("NEBULA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"))
            .args(["serve", "--listen", "127.0.0.1:0", "--source", "model", "--functions"])
            .arg(functions.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let (told, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = told.send(line);
        });
        let line = first_line.recv_timeout(START_TIME_MAX).expect("a daemon that listens");
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).trim_end().to_owned();
        Self { process, url, _functions: functions, _state: state }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(NEBULA);
        command.env_clear().args(arguments).args(["--daemon", &self.url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command of ours against this daemon.
    fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut client = self.command(arguments).spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        let stdin = stdin.to_owned();
        // A client that does not read its stdin is no error.
        let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
        let output = client.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    fn end(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(status.code(), Some(0), "a daemon that was asked to end has done nothing wrong");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails where it has ended, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(NEBULA).env_clear().args(arguments).output().unwrap()
}

#[track_caller]
fn assert_bill(line: &str) {
    assert!(line.starts_with("nebula: ") && line.contains(" ms CPU; source model"), "{line}");
}

/// One daemon for all that it is asked: it compiles its functions for some seconds.
#[test]
fn a_daemon_is_called_and_listed() {
    let daemon = Daemon::start();
    prints_output_and_energy(&daemon);
    passes_any_bytes(&daemon);
    passes_variables(&daemon);
    fails_as_the_function_does(&daemon);
    tells_of_refusals(&daemon);
    prints_json(&daemon);
    waits_for_the_settled_charge(&daemon);
    survives_a_reader_that_leaves(&daemon);
    lists(&daemon);
    daemon.end();
}

fn prints_output_and_energy(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "fibonacci", "--input", "5"], b"");
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "[0, 1, 1, 2, 3]\n"));
    assert_eq!(stderr(&output).lines().count(), 1);
    assert_bill(stderr(&output));
}

fn passes_any_bytes(daemon: &Daemon) {
    for input in [vec![], vec![0xff, 0x00, 0x0a], b"-".to_vec(), vec![b'x'; 300_000], vec![0xfe; 3 << 20]] {
        let output = daemon.run(&["invoke", "echo", "--input", "-"], &input);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(output.stdout == input, "{} bytes came back as {}", input.len(), output.stdout.len());
    }
    let output = daemon.run(&["invoke", "echo", "--input", "-7"], b"not this");
    assert_eq!(stdout(&output), "-7");
}

fn passes_variables(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "environment", "--env", "A=1 & 2=3", "--env", "NAME=Löwe"], b"");
    let environment = stdout(&output);
    assert!(environment.contains("A=1 & 2=3\0") && environment.contains("NAME=Löwe\0"), "{environment:?}");
}

fn fails_as_the_function_does(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "exits"], b"");
    assert_eq!((output.status.code(), stdout(&output)), (Some(7), ""));
    let lines: Vec<_> = stderr(&output).lines().collect();
    assert_eq!(
        lines[..2],
        ["oops", "nebula: The function reported a failure: it exited with 7; `stderr` may tell why"]
    );
    assert_bill(lines[2]);

    let output = daemon.run(&["invoke", "traps"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("nebula: The function was stopped: "), "{}", stderr(&output));
    assert_bill(stderr(&output).lines().last().unwrap());
}

fn tells_of_refusals(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "no/such?function"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("there is no function `no/such?function`"), "{}", stderr(&output));
    let output = daemon.run(&["invoke", "echo", "--input", "-"], &vec![b'x'; 9 << 20]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("The body is too large"), "{}", stderr(&output));
}

fn prints_json(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "fibonacci", "--input", "3", "--json"], b"");
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&envelope["output"], &envelope["function"]), (&"[0, 1, 1]\n".into(), &"fibonacci".into()));
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));

    let output = daemon.run(&["invoke", "exits", "--json"], b"");
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &problem["exit_code"]), (Some(7), &7.into()));
}

fn waits_for_the_settled_charge(daemon: &Daemon) {
    let output = daemon.run(&["invoke", "fibonacci", "--input", "5", "--settle"], b"");
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "[0, 1, 1, 2, 3]\n"));
    assert!(stderr(&output).trim_end().ends_with("source model (settled, but not measured)"), "{}", stderr(&output));
    let output = daemon.run(&["invoke", "environment", "--env", "A=1", "--settle", "--json"], b"");
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&envelope["energy"]["state"], &envelope["output"]), (&"settled".into(), &"A=1\0".into()));
}

fn survives_a_reader_that_leaves(daemon: &Daemon) {
    let mut client = daemon.command(&["invoke", "echo", "--input", "-"]).spawn().unwrap();
    drop(client.stdout.take());
    client.stdin.take().unwrap().write_all(&vec![b'x'; 1 << 20]).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_bill(stderr(&output));
}

fn lists(daemon: &Daemon) {
    let output = daemon.run(&["list"], b"");
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output);
    let words = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words("NAME"), ["NAME", "VERSION", "KIND", "ORIGIN", "SIZE"]);
    assert_eq!(words("traps")[2..], ["command", "file", &TRAPS.len().to_string(), "B"]);
    assert_eq!(words("answer")[2..4], ["numeric", "built-in"]);
    let ends: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "sizes end in one column:\n{table}");

    let output = daemon.run(&["list", "--json"], b"");
    let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listing["functions"].as_array().unwrap().len(), table.lines().count() - 1);
}

#[test]
fn where_no_daemon_is_it_is_said_how_to_start_one() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    for command in [&["list"][..], &["invoke", "echo"]] {
        let output = run(&[command, &["--daemon", &url]].concat());
        assert_eq!(output.status.code(), Some(1));
        let expected = format!(
            "nebula: no daemon answers at {url}; start one with `nebula serve`, or name another with --daemon\n"
        );
        assert_eq!(stderr(&output), expected);
    }
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    for (arguments, expected) in [
        (&["list", "--daemon", "ftp://127.0.0.1"][..], "https://HOST[:PORT]"),
        (&["list", "--daemon", "127.0.0.1:8080"], "http://HOST[:PORT]"),
        (&["invoke", "echo", "--env", "A"], "NAME=VALUE"),
        (&["invoke", "echo", "--env", "input=1"], "--input"),
        (&["invoke"], "<NAME>"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn what_is_no_daemon_is_told_from_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for answer in ["HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", "SSH-2.0-something\r\n"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let output = run(&["list", "--daemon", &url]);
    assert!(stderr(&output).contains("is no nebula daemon (status 404"), "{}", stderr(&output));
    let output = run(&["list", "--daemon", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&url), "{}", stderr(&output));
    server.join().unwrap();
}
