//! Tests of the live page in a real browser.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::prelude::*;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/live.mjs");

/// A browser and a folder for its files.
struct Browser(TempDir);

impl Browser {
    /// `None` if no browser is installed.
    fn new() -> Option<Self> {
        let is_missing = |program: &&str| Command::new(program).arg("--version").output().is_err();
        if let Some(missing) = ["node", "chromium"].into_iter().find(is_missing) {
            skipped(&format!("{missing} is not installed"));
            return None;
        }
        Some(Self(temporary_folder()))
    }

    /// Runs the steps of the script against a daemon.
    fn visit(&self, daemon: &Daemon, steps: &[&str]) {
        let url = daemon.url() + "/";
        self.run(Command::new("node").arg(SCRIPT).arg(url).arg(self.0.path()).args(steps));
    }

    fn run(&self, command: &mut Command) {
        // One at a time: a browser keeps several processors busy, and some steps measure layout shifts.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let output = run(command.env("BROWSER_FOLDER", self.0.path()));
        assert!(output.status.success(), "{}\n{}", stdout(&output), stderr(&output));
    }
}

/// Runs the steps against a daemon with these options.
fn visit(options: &[&str], steps: &[&str]) {
    if let Some(browser) = Browser::new() {
        browser.visit(&Daemon::start(options), steps);
    }
}

#[test]
fn the_page_shows_calls_and_deploys_functions() {
    let Some(browser) = Browser::new() else { return };
    let files = [
        (
            "Six Times Seven.wat",
            &b"(module (func (export \"go\") (result i32) (i32.mul (i32.const 6) (i32.const 7))))"[..],
        ),
        ("Six Times Seven.toml", b"entry = \"go\"\n"),
        ("garbage.wasm", b"\0asm and nothing more"),
    ];
    for (name, bytes) in files {
        fs::write(browser.0.path().join(name), bytes).unwrap();
    }
    let daemon = Daemon::with_files(&[("complain.wat", guests::source("complain"))], &[]);
    browser.visit(&daemon, &[]);
}

#[test]
fn the_page_asks_for_a_token_if_one_is_needed() {
    let Some(browser) = Browser::new() else { return };
    let tokens = TokensFile::empty();
    let caller = make(&tokens.path(), "caller", &[]);
    let operator = make(&tokens.path(), "operator", &["--role", "operate"]);
    let daemon = Daemon::start(&["--access tokens --tokens", &tokens.path_str()]);
    browser.visit(&daemon, &["closed", &caller, &operator]);
}

#[test]
fn a_guests_page_gets_neither_the_token_nor_its_rights() {
    let Some(browser) = Browser::new() else { return };
    let tokens = TokensFile::empty();
    let operator = make(&tokens.path(), "operator", &["--role", "operate"]);
    let functions = guests::folder_of(&[
        (
            "spy.wat",
            answering("content-type: text/html\n\n<!DOCTYPE html><title>spy</title><p>I am the page of a function."),
        ),
        ("worker.wat", answering("content-type: text/javascript\nservice-worker-allowed: /\n\nonfetch = () => {};")),
    ]);
    let options = ["--functions", functions.path().to_str().unwrap()];
    // Reading needs no token here, but changing does.
    let known = Daemon::start(&[&options[..], &["--tokens", &tokens.path_str()]].concat());
    browser.visit(&known, &["spied", &operator]);
    let open = Daemon::start(&options);
    browser.visit(&open, &["spied"]);
}

/// A command that writes `text`.
fn answering(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let bytes = bytes.concat();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00")
            (data (i32.const 16) "{bytes}")
            (func (export "_start")
                (i32.store (i32.const 4) (i32.const {}))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        text.len()
    )
}

#[test]
fn the_page_polls_if_there_are_too_many_listeners() {
    visit(&["--events-clients 1"], &["crowded"]);
}

#[test]
fn the_page_counts_every_call_under_load() {
    // The queue is so short that most calls get no event.
    visit(&["--events-queue 64"], &["loaded"]);
}

#[test]
fn without_a_meter_the_page_says_so() {
    visit(&["--source off"], &["unmeasured"]);
}

#[test]
fn the_page_reconnects_after_a_restart() {
    let Some(browser) = Browser::new() else { return };
    let nebula = nebula();
    let mut command = Command::new("node");
    command.arg(SCRIPT).arg("http://127.0.0.1:0/").arg(browser.0.path()).arg("restarted").arg(nebula.get_program());
    command.envs(nebula.get_envs().filter_map(|(name, value)| Some((name, value?))));
    browser.run(&mut command);
}

#[test]
fn a_thousand_functions_do_not_freeze_the_page() {
    let Some(browser) = Browser::new() else { return };
    let module = "(module (func (export \"run\") (result i32) i32.const 42))";
    let names: Vec<_> = (0..1000).map(|number| format!("f-{number:03}.wat")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), module)).collect();
    let daemon = Daemon::with_files(&files, &[]);
    browser.visit(&daemon, &["many"]);
}

#[test]
fn the_page_has_its_files_and_a_strict_policy() {
    let daemon = Daemon::shared(&[]);
    let page = daemon.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains("<style") && !page.text().contains(" style="), "{}", page.text());
    for (name, kind) in [("main.js", "text/javascript; charset=utf-8"), ("style.css", "text/css; charset=utf-8")] {
        let file = daemon.get(&format!("/_page/{name}"));
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{name}");
        assert!(page.text().contains(&format!("/_page/{name}")));
        let known = format!("if-none-match: {}", file.header("etag").unwrap());
        let again = daemon.get_with(&format!("/_page/{name}"), &[&known]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
        assert_eq!(again.header("cache-control"), Some("no-cache"), "{name}");
    }
    daemon.get("/_page/mod.rs").expect_problem(404, "no-route");
    let answer = daemon.get_with("/invoke/answer", &["accept: text/html"]);
    assert!(!answer.header("content-security-policy").unwrap().contains("script-src"), "{answer:?}");
}
