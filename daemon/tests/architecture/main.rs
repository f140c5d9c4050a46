//! The plan of the house, held against what the files really import.
//!
//! Each table of exceptions can only shrink: a test fails on what is not in it, and on what need not be in it any more.
//! `cargo run -q -p nebula --example circles` prints what is behind a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

mod circles;
mod imports;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::Crate;

/// The rooms of each crate, from the bottom: a room imports only from those before it.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "nebula",
        &[
            "causes",
            "outcome",
            "trace_context",
            "state",
            "runtime",
            "meter",
            "carbon",
            "quota",
            "functions",
            "invocation",
            "telemetry",
            "usage",
            "http",
            "config",
            "cli",
        ],
    ),
    (
        "nebula-metering",
        &[
            "units", "ids", "shares", "ledger", "work", "zone", "source", "counter", "rate", "base", "learning", "bucket", "post",
            "calls", "zone_meter", "meter", "bracket", "simulator", "fuzzing",
        ],
    ),
];

/// Imports that run up today, as `crate: room → room`.
const UPWARD: &[&str] = &[];

/// Files of a room that import each other in circles today, as `crate/room: files`.
const CIRCLES: &[(&str, usize)] = &[];

/// Names that more than one public type of a crate has today, as `crate: name`.
const SAME_NAME: &[&str] = &[];

fn crates() -> Vec<Crate> {
    imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// The first folder or file below `src`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Fails where what was found is not exactly what is known.
fn assert_known<T: Ord + std::fmt::Debug>(what: &str, found: BTreeSet<T>, known: BTreeSet<T>) {
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    assert!(gone.is_empty(), "these are no more, take them out of the table: {gone:#?}");
}

#[test]
fn imports_lead_down() {
    let mut upward = BTreeMap::new();
    for member in crates() {
        let Some((_, rooms)) = ROOMS.iter().find(|(name, _)| *name == member.name) else { continue };
        let height = |file: &str| {
            let room = room(file);
            let height = rooms.iter().position(|name| *name == room);
            height.unwrap_or_else(|| panic!("{}: the room `{room}` ({file}) has no place in `ROOMS`", member.name))
        };
        let between = member.imports.iter().filter(|((from, to), _)| room(from) != room(to) && room(from) != "lib");
        for ((from, to), names) in between.filter(|((from, to), _)| height(from) < height(to)) {
            let pair = format!("{}: {} → {}", member.name, room(from), room(to));
            println!("{pair}: {from} → {to} {names:?}");
            upward.insert(pair, ());
        }
    }
    let known = UPWARD.iter().map(ToString::to_string).collect();
    assert_known("imports that run up", upward.into_keys().collect(), known);
}

#[test]
fn no_files_import_each_other_in_circles() {
    let mut count = BTreeMap::<_, usize>::new();
    for member in crates() {
        let edges = member.imports.keys().map(|(from, to)| (from.as_str(), to.as_str()));
        for circle in circles::circles(edges) {
            println!("{}: {circle:?}", member.name);
            for file in circle {
                *count.entry(format!("{}/{}", member.name, room(file))).or_default() += 1;
            }
        }
    }
    let known = CIRCLES.iter().map(|(room, files)| ((*room).to_owned(), *files)).collect();
    assert_known("files in circles", count.into_iter().collect(), known);
}

#[test]
fn public_types_of_a_crate_have_names_of_their_own() {
    let mut same = BTreeSet::new();
    for member in crates() {
        for (name, files) in member.types.iter().filter(|(_, files)| files.len() > 1) {
            println!("{}: {name} in {files:?}", member.name);
            same.insert(format!("{}: {name}", member.name));
        }
    }
    let known = SAME_NAME.iter().map(ToString::to_string).collect();
    assert_known("public types of one name", same, known);
}
