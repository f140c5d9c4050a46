//! No file stops a worker, and no call takes the descriptors that others need.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::prelude::*;

/// WASI's error numbers.
const ACCESS: &str = "2\n";
const TOO_MANY_FILES: &str = "33\n";

/// A folder with the functions `openings`, `fifo` and `component`, which may open the FIFO and the file beside them.
fn folder() -> TempDir {
    let grant = "[[directories]]\nhost = 'data'\nguest = '/'\n";
    let folder = guests::folder_of(&[
        ("openings.wat", guests::source("openings")),
        ("openings.toml", grant.into()),
        ("fifo.wat", guests::source("openings")),
        ("fifo.toml", format!("entry = 'fifo'\n{grant}")),
        ("special.wat", guests::source("openings")),
        ("special.toml", format!("entry = 'fifo'\n{grant}special = true\n")),
        ("old.wat", guests::source("old-wasi")),
        ("old.toml", grant.into()),
        ("sleeper.wat", guests::source("sleeper")),
        ("sleeper.toml", grant.into()),
        ("component.wat", guests::source("openings-component")),
        ("component.toml", grant.into()),
    ]);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("note"), "hello").unwrap();
    make_fifo(&data.join("fifo"));
    folder
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn daemon(folder: &TempDir, options: &str) -> Daemon {
    Daemon::start(&["--functions", folder.path().to_str().unwrap(), options])
}

#[test]
fn a_call_opens_so_many_files_and_all_calls_so_many() {
    let folder = folder();
    let served = daemon(&folder, "--limits-files 8");
    // The directory itself is one of the eight.
    assert_eq!(served.output("openings?input=7"), "0\n");
    assert_eq!(served.output("openings?input=8"), TOO_MANY_FILES);
    let component = served.get("/invoke/component");
    assert_eq!(component.status, 200, "{}", component.text());

    let served = daemon(&folder, "--limits-files 100 --limits-files-in-all 8");
    for _ in 0..3 {
        assert_eq!(served.output("openings?input=7"), "0\n", "what a call had open is closed with it");
        assert_eq!(served.output("openings?input=8"), TOO_MANY_FILES);
    }
}

#[test]
fn a_fifo_keeps_nobody_waiting() {
    let folder = folder();
    let served = daemon(&folder, "--runtime-workers 1 --limits-wall 2s");
    assert_eq!(served.output("fifo?input=0"), ACCESS);
    assert_eq!(served.get("/invoke/component").status, 200, "nor does it one that a component opens");
    // Whoever asks for it waits under the call's own clock, and keeps no thread that others need.
    for _ in 0..2 {
        served.get("/invoke/special?input=0").expect_problem(504, "timeout");
        assert_eq!(served.output("openings?input=1"), "0\n");
    }
    served.stop();
}

#[test]
fn a_guest_with_a_directory_that_sleeps_keeps_no_thread() {
    let folder = folder();
    let served = daemon(&folder, "--runtime-workers 1 --limits-wall 1s");
    for function in ["sleeper", "old"] {
        assert_eq!(served.output(&format!("{function}?input=10")), "0\n");
        served.get(&format!("/invoke/{function}?input=600000")).expect_problem(504, "timeout");
    }
}

#[test]
fn no_module_and_no_file_of_tokens_stops_the_daemon() {
    let folder = guests::folder_of(&[("memory.wat", guests::source("memory"))]);
    make_fifo(&folder.path().join("stuck.wasm"));
    make_fifo(&folder.path().join("memory.toml"));
    symlink("/dev/zero", folder.path().join("endless.wasm")).unwrap();
    let tokens = TempDir::new().unwrap();
    let tokens = tokens.path().join("tokens.toml");
    make_fifo(&tokens);
    let options = format!("--tokens {}", tokens.display());
    assert!(start_error(&[&options], 64).contains("it is not a regular file"));

    fs::remove_file(&tokens).unwrap();
    fs::write(&tokens, "").unwrap();
    let served = daemon(&folder, &options);
    let log = served.log();
    for name in ["stuck.wasm", "endless.wasm", "memory.toml"] {
        let of_it = |line: &str| line.contains(name) && line.contains("it is not a regular file");
        assert!(log.lines().any(of_it), "{name}: {log}");
    }
    // What comes while it runs is no different, and what is in order is served.
    make_fifo(&folder.path().join("later.wasm"));
    fs::remove_file(folder.path().join("memory.toml")).unwrap();
    until("the module is served", || served.get("/invoke/memory?input=1").status == 200);
    fs::remove_file(&tokens).unwrap();
    make_fifo(&tokens);
    until("the tokens were tried", || served.log().contains("tokens.toml"));
    assert_eq!(served.get("/invoke/memory?input=1").status, 200);
    served.stop();
}

#[test]
fn a_second_signal_ends_the_process_whatever_its_workers_do() {
    let folder = guests::folder_of(&[("loop.wat", guests::source("endless-loop"))]);
    let mut served = daemon(&folder, "--limits-wall 1h --http-grace 1h --runtime-workers 1");
    let _call = served.begin("/invoke/loop");
    until("the call runs", || served.metric("nebula_in_flight_invocations", &[]) > 0.0);
    served.signal(Signal::TERM);
    until("it drains", || served.log().contains("draining"));
    served.signal(Signal::TERM);
    assert_eq!(served.wait().code(), Some(128 + 15));
}

#[test]
fn a_deployed_manifest_cannot_ask_for_fifos_and_devices() {
    let folder = folder();
    let data = folder.path().join("data");
    let served = daemon(&folder, &format!("--deploy-directories {}", data.display()));
    let put = |more: &str| {
        let manifest = format!("[[directories]]\nhost = '{}'\nguest = '/'\n{more}", data.display());
        served.request("PUT", "/functions/openings/manifest", &[], manifest)
    };
    assert_detail(&put("special = true").expect_problem(422, "not-deployable"), "`special`");
    assert_eq!(put("").status, 200);
}
