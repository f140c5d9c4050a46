//! The functions that come with the program: they do what their page says, and are what their sources make.

use std::path::Path;
use std::process::Command;

use crate::daemon::{Daemon, run, stderr};
use crate::skipping::skipped;

const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions");

/// The rows of the table in the functions' README: name, input, output.
fn documented() -> Vec<[String; 3]> {
    let page = std::fs::read_to_string(Path::new(FUNCTIONS).join("README.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cell = |text: &str| text.trim().replace("`<br>`", "\n").trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(cell).collect();
        let [name, _, input, output] = &cells[..] else { panic!("not four cells: {line}") };
        [name.trim_end_matches(".wat").to_owned(), input.clone(), output.clone()]
    };
    rows.map(row).collect()
}

#[test]
fn every_documented_example_is_true() {
    let daemon = Daemon::shared(&["--source", "model"]);
    let rows = documented();
    assert_eq!(rows.len(), nebula::functions::SAMPLES.len(), "every sample has its row");
    for [name, input, output] in rows {
        let envelope = daemon.post(&format!("/invoke/{name}"), &input).json();
        assert_eq!(envelope["output"].as_str().map(str::trim_end), Some(output.as_str()), "{name} of {input}");
    }
}

#[test]
fn every_language_computes_and_refuses_the_same() {
    let daemon = Daemon::shared(&["--source", "model"]);
    let names: Vec<_> = nebula::functions::SAMPLES.iter().map(|sample| sample.name).collect();
    let names: Vec<_> = names.into_iter().filter(|name| name.starts_with("fibonacci-recursive")).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let call = |input: &str| daemon.post(&format!("/invoke/{name}"), input).json();
        for (input, output) in [("0", "0\n"), ("1", "1\n"), ("2", "1\n"), (" +007\r\n", "13\n"), ("25", "75025\n")] {
            assert_eq!(call(input)["output"], output, "{name} of `{input}`");
        }
        for input in ["", " ", "+", "-1", "43", "1.5", "4_2", "4 2", "2x", "99999999999999999999", "\u{664}"] {
            let problem = call(input);
            assert_eq!(problem["exit_code"], 1, "{name} of `{input}`: {problem}");
            let told = problem["stderr"].as_str().unwrap();
            assert!(told.starts_with("error: expected a whole number from 0 to 42"), "{name} of `{input}`: {told}");
        }
    }
}

#[test]
fn the_artefacts_come_from_their_sources() {
    let check = run(Command::new("bash").arg(Path::new(FUNCTIONS).join("build")).arg("--check"));
    let told = String::from_utf8(check.stdout.clone()).unwrap();
    assert!(check.status.success(), "{told}{}", stderr(&check));
    assert!(told.contains("digests: sources and artefacts are those that dist/SOURCES lists"), "{told}");
    for line in told.lines().filter(|line| line.starts_with("rebuild: skipped")) {
        skipped(&format!("functions/build --check: {line}"));
    }
}
