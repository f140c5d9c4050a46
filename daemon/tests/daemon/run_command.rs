//! `nebula run`: runs a module with the standard streams of the command.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::prelude::*;

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = nebula();
    command.args(["run", "--source", "model"]).args(arguments).env("NEBULA_TEST_SECRET", "ours");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that ends without reading closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn guest(name: &str) -> String {
    text(&guests::path(name))
}

fn sample(name: &str) -> String {
    text(&guests::sample(name))
}

#[test]
fn a_module_reads_stdin_and_its_joules_go_to_stderr() {
    // It runs for longer than the resolution of the clocks.
    let output = run(&[&sample("fibonacci-recursive")], "34\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "5702887\n");
    let bill = stderr(&output);
    assert_eq!(bill.lines().count(), 1, "{bill}");
    for part in ["nebula: ", " ± ", "J + ", "ms CPU", "source model", "an estimate, not measured; ranks by CPU time"] {
        assert!(bill.contains(part), "{part}: {bill}");
    }
}

#[test]
fn quiet_leaves_out_the_joules() {
    for flag in ["--quiet", "-q"] {
        let output = run(&[flag, &sample("hello-world")], "");
        assert_eq!((stdout(&output), stderr(&output)), ("Hello, World!\n".into(), String::new()));
    }
}

#[test]
fn the_exit_code_is_the_modules() {
    for code in ["0", "1", "7", "125"] {
        let output = run(&["-q", &guest("exit"), code], "");
        assert_eq!(output.status.code(), code.parse().ok());
    }
    let output = run(&[&guest("complain")], "words");
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).starts_with("words") && stderr(&output).contains("ms CPU"), "{}", stderr(&output));
}

#[test]
fn a_trap_is_reported_and_exits_like_an_abort() {
    for guest in [guest("unreachable"), guest("memory-bomb")] {
        let output = run(&[&guest], "");
        assert_eq!(output.status.code(), Some(134));
        assert!(stderr(&output).contains("nebula: the module"), "{}", stderr(&output));
        assert!(stderr(&output).contains("ms CPU"), "a trap costs energy too: {}", stderr(&output));
    }
}

#[test]
fn the_environment_is_what_was_given() {
    let variables = ["--env", "LEVEL=9", "--env", "NEBULA_TEST_SECRET", "--env", "NOT_SET_ANYWHERE"];
    let output = run(&[&["-q"], &variables[..], &[&guest("environment")]].concat(), "");
    assert_eq!(stdout(&output), "LEVEL=9\0NEBULA_TEST_SECRET=ours\0");
    assert_eq!(stdout(&run(&["-q", &guest("environment")], "")), "", "nothing of ours by itself");
}

#[test]
fn what_follows_the_file_is_the_modules() {
    let folder = temporary_folder();
    let directory = format!("{}::/", text(folder.path()));
    let module = guest("arguments");
    let given = ["--help", "-q", "--env", "LEVEL=9", "--dir", &directory, "--no-such-option", "--", "--source", "off"];
    let output = run(&[&["-q", &module], &given[..]].concat(), "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = stdout(&output);
    assert_eq!(seen.trim_end_matches('\0').split('\0').skip(1).collect::<Vec<_>>(), given);

    assert_eq!(stdout(&run(&["-q", &guest("environment"), "--env", "LEVEL=9"], "")), "");
    let output = run(&[&guest("environment"), "-q"], "");
    assert!(stderr(&output).contains("ms CPU"), "and it silences nothing: {}", stderr(&output));
    let output = run(&["--no-such-option", &module], "");
    assert!(stderr(&output).contains("--no-such-option"), "before the file it is ours: {}", stderr(&output));
}

#[test]
fn a_module_sees_only_directories_it_was_given() {
    let folder = temporary_folder();
    let folder = text(folder.path());
    assert_eq!(stdout(&run(&["-q", &guest("reach")], "")), "0\n");
    assert_ne!(stdout(&run(&["-q", "--dir", &format!("{folder}::/"), &guest("reach")], "")), "0\n");
    let output = run(&["--dir", "/nowhere/at/all", &guest("reach")], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot open the directory `/nowhere/at/all` of --dir"), "{}", stderr(&output));
}

#[test]
fn a_module_opens_only_sockets_it_was_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect =
        |options: &[&str]| run(&[&["-q"], options, &[&guest("sockets"), &port.to_string(), "c"]].concat(), "");
    assert_eq!(stdout(&connect(&[])), "a");
    assert_eq!(stdout(&connect(&["--network", "tcp:127.0.0.1:1"])), ".a");
    assert_eq!(
        stdout(&connect(&["--network", "tcp:127.0.0.1:1", "--network", &format!("tcp:127.0.0.1:{port}")])),
        ".."
    );
    assert_eq!(stdout(&connect(&["--network", "*"])), "..");
    for (flag, wrong) in [("--network", "127.0.0.1:80"), ("--outbound", "ftp://localhost")] {
        let output = connect(&[flag, wrong]);
        assert_eq!(output.status.code(), Some(64));
        assert!(stderr(&output).contains(flag) && stderr(&output).contains(wrong), "{}", stderr(&output));
    }
}

#[test]
fn arguments_are_the_parameters_of_a_function_of_numbers() {
    let output = run(&["-q", &guest("scale"), "3", "2.5"], "");
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(0), "7.5\n"));
    let output = run(&["-q", &guest("scale"), "-3", "-2.5"], "");
    assert_eq!(stdout(&output), "7.5\n", "negative numbers are no flags");
    let output = run(&["-q", &guest("scale"), "3"], "");
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("expected 2 numbers of types i32, f64, found 1"), "{}", stderr(&output));
}

#[test]
fn a_file_that_cannot_be_run_is_a_clear_error() {
    let folder = temporary_folder();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        text(&path)
    };
    for (path, why) in [
        (file("letter.txt", b"Dear reader"), "cannot compile it"),
        (file("empty.wasm", b""), "cannot compile it"),
        (file("component.wasm", b"\0asm\x0d\0\x01\0"), "it is a component"),
        (file("component.wat", b"(component)"), "it is a component"),
        (file("idle.wat", b"(module)"), "it exports neither `_start`"),
        (text(&folder.path().join("missing.wasm")), "cannot read"),
        (text(folder.path()), "cannot read"),
    ] {
        let output = run(&[&path], "");
        assert_eq!(output.status.code(), Some(1), "{path}");
        let error = stderr(&output);
        assert!(error.contains(why) && error.contains(&path), "{why}\n{error}");
        assert!(!error.contains("panicked") && output.stdout.is_empty(), "{error}");
    }
}
