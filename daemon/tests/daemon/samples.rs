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
fn the_artefacts_come_from_their_sources() {
    let check = run(Command::new("bash").arg(Path::new(FUNCTIONS).join("build")).arg("--check"));
    let told = String::from_utf8(check.stdout.clone()).unwrap();
    assert!(check.status.success(), "{told}{}", stderr(&check));
    assert!(told.contains("digests: sources and artefacts are those that dist/SOURCES lists"), "{told}");
    if let Some(line) = told.lines().find(|line| line.starts_with("rebuild: skipped")) {
        skipped(&format!("functions/build --check: {line}"));
    }
}
