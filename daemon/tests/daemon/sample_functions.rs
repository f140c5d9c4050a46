//! The built-in functions: they do what their README says, and are built from their sources.

use std::path::Path;
use std::process::Command;

use crate::prelude::*;

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
fn every_example_in_the_readme_is_true() {
    let daemon = Daemon::shared(&[]);
    let rows = documented();
    assert_eq!(rows.len(), nebula::functions::SAMPLES.len(), "every sample has its row");
    for [name, input, output] in rows {
        let envelope = daemon.post(&format!("/invoke/{name}"), &input).json();
        assert_eq!(envelope["output"].as_str().map(str::trim_end), Some(output.as_str()), "{name} of {input}");
    }
}

#[test]
fn all_languages_accept_and_refuse_the_same_inputs() {
    let daemon = Daemon::shared(&[]);
    let names = nebula::functions::SAMPLES.iter().map(|sample| sample.name);
    let names: Vec<_> = names.filter(|name| name.starts_with("fibonacci-recursive")).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let call = |input: &str| daemon.post(&format!("/invoke/{name}"), input).json();
        for (input, output) in [("0", "0\n"), ("1", "1\n"), ("2", "1\n"), (" +007\r\n", "13\n"), ("25", "75025\n")] {
            assert_eq!(call(input)["output"], output, "{name} of `{input}`");
        }
        for input in ["", " ", "+", "-1", "43", "1.5", "4_2", "4 2", "2x", "99999999999999999999", "\u{664}"] {
            let problem = call(input);
            assert_eq!(problem["exit_code"], 1, "{name} of `{input}`: {problem}");
            let error = problem["stderr"].as_str().unwrap();
            assert!(error.starts_with("error: expected a whole number from 0 to 42"), "{name} of `{input}`: {error}");
        }
    }
}

#[test]
fn the_artefacts_are_built_from_their_sources() {
    let check = run(Command::new("bash").arg(Path::new(FUNCTIONS).join("build")).arg("--check"));
    let report = stdout(&check);
    assert!(check.status.success(), "{report}{}", stderr(&check));
    assert!(report.contains("digests: sources and artefacts are those that dist/SOURCES lists"), "{report}");
    for line in report.lines().filter(|line| line.starts_with("rebuild: skipped")) {
        skipped(&format!("functions/build --check: {line}"));
    }
}
