//! Flags, environment variables and the configuration file.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use nebula::config::options;
use tempfile::TempDir;

use crate::prelude::*;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = temporary_folder();
    let path = folder.path().join("nebula.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn all_mistakes_are_reported_together_before_a_port_is_bound() {
    let (_folder, path) = file("nonsense = 1\n[limits]\nstdoutt = \"1MiB\"\nmemory = \"1KiB\"\nbody = 1.5\n");
    // A port that is in use: binding it first would be another error.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let mut command = serve(&["--listen", &taken, "--source guess --config"]);
    let output = run(command.arg(path).env("NEBULA_WINDOW", "soon").env("NEBULA_LIMITS_QUEUE", "-1"));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0));
    let error = stderr(&output);
    for mistake in [
        "invalid value `1.5` for limits.body in the configuration file: a size is a whole number",
        "`limits.stdoutt` in the configuration file is not an option; did you mean `limits.stdout`?",
        "`nonsense` in the configuration file is not an option",
        "invalid value `guess` for --source: it must be one of auto, powercap, perf, hwmon, model, simulated",
        "invalid value `soon` for NEBULA_WINDOW",
        "invalid value `-1` for NEBULA_LIMITS_QUEUE",
        "invalid value `1KiB` for limits.memory in the configuration file: it must be from 65536 to",
    ] {
        assert!(error.contains(mistake), "{mistake}\n{error}");
    }
    assert!(!error.contains("cannot listen"), "{error}");
}

#[test]
fn what_stops_the_start_is_a_clear_error() {
    let (folder, path) = file("listen = \n");
    let (path, folder) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (options, code, parts) in [
        (&["--config", path][..], 64, &["is not TOML"][..]),
        (&["--config /nowhere/nebula.toml"], 64, &["cannot read the configuration file"]),
        (&["--functions /nowhere/at/all"], 1, &["cannot list the functions in `/nowhere/at/all`"]),
        (&["--usage-log /nowhere/at/all"], 1, &["`/nowhere/at/all` (`usage.log`)"]),
        (&["--log-access /nonexistent/access.log"], 1, &["`log.access`"]),
        (&["--energy-expose operators"], 64, &["nobody could see the joules", "admin.listen"]),
        (&["--source off --power-max 40W"], 64, &["invalid value `40W` for --power-max: nothing is measured"]),
        (
            &["--source off --quota-joules-per-hour 5J"],
            64,
            &["invalid value `5J` for --quota-joules-per-hour: nothing is measured"],
        ),
        (&["--listen", &address], 1, &[&format!("cannot listen on {address}"), "in use"]),
        (&["--source powercap --sysfs-root", folder], 1, &["the source `powercap` cannot be used", "nebula doctor"]),
    ] {
        let error = start_error(options, code);
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
    }
}

#[test]
fn wrong_arguments_exit_with_64() {
    for arguments in [&["serve", "--nonsense"][..], &["nonsense"], &[], &["serve", "--listen"], &["run"]] {
        let output = run(nebula().args(arguments));
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn help_lists_every_option_with_its_variable_and_default() {
    let output = run(nebula().args(["serve", "--help"]));
    assert_eq!(output.status.code(), Some(0));
    let help = stdout(&output);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for option in options() {
        let entry = format!("--{} <{}>", option.flag(), option.value);
        let entry = help.find(&entry).unwrap_or_else(|| panic!("{entry}\n{help}"));
        let variable = format!("[env: {}]", option.variable());
        assert!(help[entry..].contains(&variable), "{variable}\n{help}");
        if let Some(default) = option.default {
            assert!(help[entry..].contains(&format!("[default: {default}]")), "{}", option.key);
        }
    }
    assert!(help.contains("--config <FILE>") && help.contains("NEBULA_CONFIG"), "{help}");
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let (_folder, path) = file("window = \"50ms\"\npolicy = \"usage\"\n[limits]\nbody = 3\nqueue = 7\n");
    let mut command = serve(&["--limits-body 7"]);
    command.env("NEBULA_CONFIG", path).env("NEBULA_LIMITS_BODY", "5").env("NEBULA_POLICY", "active");
    let daemon = Daemon::start_command(&mut command);
    assert_eq!(daemon.metric("nebula_window_seconds", &[]), 0.05, "the file's");
    assert_eq!(daemon.get("/invoke/answer").json()["energy"]["policy"], "active", "the variable's");
    assert_eq!(daemon.post("/invoke/add", "1,2,3,4").json()["output"], "10\n", "the flag's");
    assert_eq!(daemon.post("/invoke/add", "1,2,3,40").status, 413);
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let log = Daemon::start_command(serve(&[]).env("NEBULA_LIMIT_WALL", "5s")).stop();
    assert!(log.contains("the environment variable `NEBULA_LIMIT_WALL` is not an option"), "{log}");
}
