//! `nebula invoke` and `nebula list` against a real daemon.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use crate::guests::source;
use crate::prelude::*;
use crate::stub_server::stub_server;

fn daemon() -> Arc<Daemon> {
    Daemon::shared(&[])
}

impl Daemon {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = nebula();
        command.args(arguments).args(["--daemon", &self.url()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command of ours against this daemon.
    fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut client = self.command(arguments).spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        let stdin = stdin.to_owned();
        // A client that does not read its stdin is no error.
        let writer = thread::spawn(move || drop(input.write_all(&stdin)));
        let output = client.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

fn run(arguments: &[&str]) -> Output {
    nebula().args(arguments).output().unwrap()
}

#[track_caller]
fn assert_bill(line: &str) {
    assert!(line.starts_with("nebula: ") && line.contains(" ms CPU; source model"), "{line}");
}

#[test]
fn invoke_prints_the_output_and_one_line_about_energy() {
    let daemon = daemon();
    let invoke = |options: &[&str]| daemon.run(&[&["invoke", "fibonacci", "--input", "5"], options].concat(), b"");
    let output = invoke(&[]);
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(0), "[0, 1, 1, 2, 3]\n"));
    assert_eq!(stderr(&output).lines().count(), 1);
    assert_bill(&stderr(&output));

    let output = invoke(&["--settle"]);
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(0), "[0, 1, 1, 2, 3]\n"));
    let error = stderr(&output);
    assert!(error.trim_end().ends_with("source model (settled, but not measured; ranks by CPU time)"), "{error}");
}

#[test]
fn invoke_passes_any_bytes_and_variables() {
    let daemon = daemon();
    for input in [vec![], vec![0xff, 0x00, 0x0a], b"-".to_vec(), vec![b'x'; 300_000], vec![0xfe; 3 << 20]] {
        let output = daemon.run(&["invoke", "echo", "--input", "-"], &input);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(output.stdout == input, "{} bytes came back as {}", input.len(), output.stdout.len());
    }
    let output = daemon.run(&["invoke", "echo", "--input", "-7"], b"not this");
    assert_eq!(stdout(&output), "-7");
    let output = daemon.run(&["invoke", "environment", "--env", "A=1 & 2=3", "--env", "NAME=Löwe"], b"");
    let environment = stdout(&output);
    assert!(environment.contains("A=1 & 2=3\0") && environment.contains("NAME=Löwe\0"), "{environment:?}");
}

#[test]
fn invoke_fails_as_the_function_does_and_says_why() {
    let daemon = daemon();
    let output = daemon.run(&["invoke", "complain", "--input", "oops"], b"");
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(3), ""));
    let error = stderr(&output);
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines[..2], ["oops", "nebula: The function reported a failure: it exited with 3; `stderr` may say why"]);
    assert_bill(lines[2]);

    let output = daemon.run(&["invoke", "unreachable"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("nebula: The function was stopped: "), "{}", stderr(&output));
    assert_bill(stderr(&output).lines().last().unwrap());

    for (arguments, input, why) in [
        (&["invoke", "no/such?function"][..], 0, "there is no function `no/such?function`"),
        (&["invoke", "echo", "--input", "-"], 9 << 20, "The body is too large"),
    ] {
        let output = daemon.run(arguments, &vec![b'x'; input]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn invoke_prints_the_answer_as_json() {
    for (arguments, code, members) in [
        (&["fibonacci", "--input", "3"][..], 0, json!({ "output": "[0, 1, 1]\n", "function": "fibonacci" })),
        (
            &["environment", "--env", "A=1", "--settle"],
            0,
            json!({ "output": "A=1\0", "energy": { "state": "settled" } }),
        ),
        (&["complain"], 3, json!({ "exit_code": 3 })),
    ] {
        let output = daemon().run(&[&["invoke"], arguments, &["--json"]].concat(), b"");
        assert_eq!((output.status.code(), &*stderr(&output)), (Some(code), ""));
        assert_has(&serde_json::from_slice(&output.stdout).unwrap(), &members);
    }
}

#[test]
fn invoke_survives_a_reader_that_leaves() {
    let daemon = daemon();
    let mut client = daemon.command(&["invoke", "echo", "--input", "-"]).spawn().unwrap();
    drop(client.stdout.take());
    client.stdin.take().unwrap().write_all(&vec![b'x'; 1 << 20]).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_bill(&stderr(&output));
}

#[test]
fn list_prints_a_table_or_json() {
    let daemon = daemon();
    let output = daemon.run(&["list"], b"");
    assert!(output.status.success(), "{}", stderr(&output));
    let table = stdout(&output);
    let words = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words("NAME"), ["NAME", "VERSION", "KIND", "ORIGIN", "SIZE"]);
    assert_eq!(words("unreachable")[2..], ["command", "file", &source("unreachable").len().to_string(), "B"]);
    assert_eq!(words("answer")[2..4], ["numeric", "built-in"]);
    let ends: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "sizes end in one column:\n{table}");

    let output = daemon.run(&["list", "--json"], b"");
    let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listing["functions"].as_array().unwrap().len(), table.lines().count() - 1);
}

#[test]
fn without_a_daemon_the_error_says_how_to_start_one() {
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
fn usage_mistakes_exit_with_64() {
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
fn other_servers_are_recognized() {
    for (answer, why) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", "is not a nebula daemon (status 404"),
        ("SSH-2.0-something\r\n", ""),
    ] {
        let url = format!("http://{}", stub_server(|_, _| answer.to_owned()));
        let output = run(&["list", "--daemon", &url]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(&url) && stderr(&output).contains(why), "{}", stderr(&output));
    }
}
