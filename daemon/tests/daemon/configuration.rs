//! Flags, variables and the file.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use nebula::config::options;
use tempfile::TempDir;

use crate::daemon::{Daemon, nebula, run, stderr};

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::with_prefix_in("config-", env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("nebula.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn all_mistakes_are_reported_together_before_a_port_is_bound() {
    let (_folder, path) = file("nonsense = 1\n[limits]\nstdoutt = \"1MiB\"\nmemory = \"1KiB\"\nbody = 1.5\n");
    // A port that is in use: binding it first would be another error.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = nebula();
    command.args(["serve", "--listen", &taken.local_addr().unwrap().to_string(), "--source", "guess", "--config"]);
    let output = run(command.arg(path).env("NEBULA_WINDOW", "soon").env("NEBULA_LIMITS_QUEUE", "-1"));
    assert_eq!(output.status.code(), Some(64));
    assert!(output.stdout.is_empty());
    let told = stderr(&output);
    for mistake in [
        "invalid value `1.5` for limits.body in the configuration file: a size is a whole number",
        "`limits.stdoutt` in the configuration file is not an option; did you mean `limits.stdout`?",
        "`nonsense` in the configuration file is not an option",
        "invalid value `guess` for --source: it must be one of auto, powercap, perf, hwmon, model, simulated",
        "invalid value `soon` for NEBULA_WINDOW",
        "invalid value `-1` for NEBULA_LIMITS_QUEUE",
        "invalid value `1KiB` for limits.memory in the configuration file: it must be from 65536 to",
    ] {
        assert!(told.contains(mistake), "{mistake}\n{told}");
    }
    assert!(!told.contains("cannot listen"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let (_folder, path) = file("listen = \n");
    for (path, why) in [(path, "is not TOML"), ("/nowhere/nebula.toml".into(), "cannot read the configuration file")] {
        let output = run(nebula().args(["serve", "--config"]).arg(path));
        assert_eq!(output.status.code(), Some(64));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn wrong_use_of_the_command_line_has_its_own_exit_code() {
    for arguments in [&["serve", "--nonsense"][..], &["nonsense"], &[], &["serve", "--listen"], &["run"]] {
        let output = run(nebula().args(arguments));
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn help_tells_every_option_with_its_variable_and_default() {
    let output = run(nebula().args(["serve", "--help"]));
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for option in options() {
        let entry = format!("--{} <{}>", option.flag(), option.value);
        let entry = help.find(&entry).unwrap_or_else(|| panic!("{entry}\n{help}"));
        let told = format!("[env: {}]", option.variable());
        assert!(help[entry..].contains(&told), "{told}\n{help}");
        if let Some(default) = option.default {
            assert!(help[entry..].contains(&format!("[default: {default}]")), "{}", option.key);
        }
    }
    assert!(help.contains("--config <FILE>") && help.contains("NEBULA_CONFIG"), "{help}");
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let (_folder, path) = file("window = \"50ms\"\npolicy = \"usage\"\n[limits]\nbody = 3\nqueue = 7\n");
    let mut command = nebula();
    command.args(["serve", "--listen", "127.0.0.1:0", "--limits-body", "7", "--source", "model"]);
    command.env("NEBULA_CONFIG", path).env("NEBULA_LIMITS_BODY", "5").env("NEBULA_POLICY", "active");
    let daemon = Daemon::start_command(&mut command);
    assert_eq!(daemon.metrics().sum("nebula_window_seconds", &[]), 0.05, "the file's");
    assert_eq!(daemon.get("/invoke/answer").json()["energy"]["policy"], "active", "the variable's");
    assert_eq!(daemon.post("/invoke/add", "1,2,3,4").json()["output"], "10\n", "the flag's");
    assert_eq!(daemon.post("/invoke/add", "1,2,3,40").status, 413);
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(nebula().args(["serve", "--listen", &address, "--source", "model"]));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains(&format!("cannot listen on {address}")) && told.contains("in use"), "{told}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_source_that_is_not_there_is_a_clear_error() {
    let (folder, _) = file("");
    let root = folder.path().to_str().unwrap();
    let output = run(nebula().args(["serve", "--listen", "127.0.0.1:0", "--source", "powercap", "--sysfs-root", root]));
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("the source `powercap` cannot be used") && told.contains("nebula doctor"), "{told}");
}

#[test]
fn a_variable_that_is_no_option_is_warned_of() {
    let mut command = nebula();
    command.args(["serve", "--listen", "127.0.0.1:0", "--source", "model"]).env("NEBULA_LIMIT_WALL", "5s");
    let log = Daemon::start_command(&mut command).stop();
    assert!(log.contains("the environment variable `NEBULA_LIMIT_WALL` is not an option"), "{log}");
}
