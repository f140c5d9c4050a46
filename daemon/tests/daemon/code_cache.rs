//! Compiled code, which a restart does not compile again.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::daemon::limited;
use crate::prelude::*;

/// The built-in functions.
const SAMPLES: usize = nebula::functions::SAMPLES.len();

fn state() -> (TempDir, String) {
    let folder = temporary_folder();
    let path = folder.path().join("made/when/needed").to_str().unwrap().to_owned();
    (folder, path)
}

fn entries(state: impl AsRef<Path>) -> Vec<PathBuf> {
    let files = fs::read_dir(state.as_ref().join("code")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

/// How many functions were compiled, and how many came from the cache.
fn compiled_and_cached(daemon: &Daemon) -> (usize, usize) {
    let names = daemon.function_names();
    let compiled = |name: &&String| daemon.get(&format!("/functions/{name}")).json()["cold_start"]["compiled"] == true;
    let compiled = names.iter().filter(compiled).count();
    (compiled, names.len() - compiled)
}

#[test]
fn a_restart_compiles_nothing_but_what_was_damaged() {
    let (_folder, state) = state();
    let start = || {
        let daemon = Daemon::start(&["--state", &state]);
        assert_eq!(daemon.output("answer"), "42\n");
        assert_eq!(daemon.output("fibonacci?input=5"), "[0, 1, 1, 2, 3]\n");
        (compiled_and_cached(&daemon), daemon.stop())
    };
    assert_eq!(start().0, (SAMPLES, 0));
    let (counts, log) = start();
    assert_eq!(counts, (0, SAMPLES));
    assert!(!log.contains("WARN"), "{log}");

    let damaged = &entries(&state)[0];
    let mut bytes = fs::read(damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(damaged, bytes).unwrap();
    let (counts, log) = start();
    assert_eq!(counts, (1, SAMPLES - 1));
    let name = damaged.to_str().unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert!(lines.len() == 1 && lines[0].contains(name) && lines[0].contains("its digest is wrong"), "{log}");
    assert_eq!(start().0, (0, SAMPLES));
}

#[test]
fn limits_hold_for_code_that_was_compiled_under_others() {
    let (folder, state) = state();
    // A page more than 64 MiB, which all samples can do with.
    fs::write(folder.path().join("large.wat"), "(module (memory 1025) (func (export \"run\")))").unwrap();
    let options = ["--state", &state, "--functions", folder.path().to_str().unwrap(), "--limits-memory"];
    for (memory, served, found) in
        [("96MiB", true, (SAMPLES + 1, 0)), ("64MiB", false, (0, SAMPLES)), ("96MiB", true, (0, SAMPLES + 1))]
    {
        let daemon = Daemon::start(&[&options[..], &[memory]].concat());
        assert_eq!(daemon.get("/invoke/large").status == 200, served);
        assert_eq!(compiled_and_cached(&daemon), found, "{memory}");
    }
}

#[test]
fn the_cache_stays_within_its_size() {
    let (_folder, state) = state();
    let size = |options: &[&str]| {
        Daemon::start(&[&["--state", &state], options].concat()).stop();
        entries(&state).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>()
    };
    let all = size(&[]);
    for limit in [all - 1, all / 3] {
        let size = size(&["--cache-size", &limit.to_string()]);
        assert!((1..=limit).contains(&size), "{size} of {limit}");
    }
}

#[test]
fn a_cache_of_size_0_and_no_usage_leave_only_the_lock() {
    let (_folder, state) = state();
    Daemon::start(&["--state", &state, "--cache-size 0 --usage-keep 0"]).stop();
    let names = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["lock"]);
}

#[test]
fn a_daemon_without_a_usable_state_directory_serves_and_warns() {
    let (folder, _) = state();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let daemon = Daemon::start(&["--state", file.to_str().unwrap()]);
    assert_eq!(daemon.output("answer"), "42\n");
    let log = daemon.stop();
    assert!(log.contains("compiled code is not kept, so each start compiles again: cannot open `"), "{log}");
    assert!(log.contains("accounts are not stored and will be lost when the daemon stops"), "{log}");
    assert_eq!(log.matches("WARN").count(), 2, "{log}");
}

#[test]
fn the_state_directory_is_found_in_the_environment() {
    let (folder, _) = state();
    let (home, service) = (folder.path().join("home"), folder.path().join("service"));
    let serve = |variables: &[(&str, &Path)]| {
        let mut command = nebula();
        for name in ["NEBULA_STATE", "NEBULA_CACHE_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"] {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).envs(variables.iter().copied());
        Daemon::start_command(&mut command).stop()
    };
    serve(&[("HOME", &home)]);
    assert_eq!(entries(home.join(".local/state/nebula")).len(), SAMPLES);
    serve(&[("HOME", &home), ("STATE_DIRECTORY", &service)]);
    assert_eq!(entries(&service).len(), SAMPLES);
    let log = serve(&[]);
    assert!(log.contains("each start compiles again: no `state` directory is set"), "{log}");
}

#[test]
fn the_cache_leaves_file_descriptors_for_connections() {
    const FUNCTIONS: usize = 150;
    const DESCRIPTORS: usize = 128;
    let (folder, state) = state();
    for number in 0..FUNCTIONS {
        let text = format!("(module (func (export \"run\") (result i32) i32.const {number}))");
        fs::write(folder.path().join(format!("f{number}.wat")), text).unwrap();
    }
    let start = || {
        let mut command = limited(&format!("-n {DESCRIPTORS}"));
        command.arg("--functions").arg(folder.path());
        Daemon::start_command(command.env("NEBULA_STATE", &state).env_remove("NEBULA_CACHE_DIR"))
    };
    let daemon = start();
    assert_eq!(compiled_and_cached(&daemon), (SAMPLES + FUNCTIONS, 0));
    daemon.stop();
    let daemon = start();
    for number in [0, FUNCTIONS - 1] {
        assert_eq!(daemon.get(&format!("/invoke/f{number}")).json()["output"], format!("{number}\n"));
    }
    let connections: Vec<_> = (0..DESCRIPTORS / 4).map(|_| TcpStream::connect(daemon.address()).unwrap()).collect();
    assert_eq!(daemon.get("/invoke/f1").status, 200);
    drop(connections);
    assert_eq!(compiled_and_cached(&daemon), (0, SAMPLES + FUNCTIONS));
}
