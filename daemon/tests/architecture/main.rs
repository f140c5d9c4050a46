//! The plan of the house, held against what the files really import.
//!
//! A list of exceptions can only shrink: a test fails on what is not in it, and on what need not be in it any more.
//! `cargo run -q -p nebula --example circles` prints what is behind a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

mod circles;
mod imports;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::Crate;

/// The rooms of each crate, from the bottom: a room imports only from those before it. A room is a file or folder below
/// `src`, and may have rooms of its own.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "nebula",
        &[
            "causes",
            "units",
            "outcome",
            "reload",
            "thread_priority",
            "trace_context",
            "settings",
            "state",
            "carbon",
            "quota",
            "admission",
            "meter",
            "telemetry",
            "functions",
            "invocation",
            "usage",
            "settling",
            "http/mod",
            "http/settings",
            "http/answer",
            "http/request",
            "http/access",
            "http/route",
            "http/record",
            "http/page",
            "http/app",
            "http/call",
            "http/read",
            "http/server",
            "config",
            "daemon",
            "cli",
        ],
    ),
    (
        "nebula-metering",
        &[
            "units",
            "shares",
            "base",
            "rate",
            "remainder",
            "zone",
            "sysfs",
            "work",
            "source",
            "post",
            "counter",
            "learning",
            "ledger",
            "whole",
            "calibration",
            "call_map",
            "bucket",
            "presence",
            "calls",
            "bracket",
            "zone_meter",
            "meter",
        ],
    ),
];

/// Every room calls what configures it so.
const SETTINGS: &str = "Settings";

fn crates() -> Vec<Crate> {
    imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// What is wrong today and may only become less: a line each. `UPDATE_GOLDEN=1` writes it anew.
const EXCEPTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/architecture/exceptions");

/// Fails on what is not among the exceptions, and on an exception that is none any more.
fn assert_known(list: &str, found: &BTreeSet<String>) {
    let path = Path::new(EXCEPTIONS).join(list);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(EXCEPTIONS).unwrap();
        std::fs::write(&path, found.iter().flat_map(|line| [line, "\n"]).collect::<String>()).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeSet<_> = known.lines().map(str::to_owned).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(found).collect();
    assert!(new.is_empty(), "{list} that are new: {new:#?}");
    assert!(gone.is_empty(), "{list} that are no more (UPDATE_GOLDEN=1 takes them off the list): {gone:#?}");
}

/// The innermost room that a file stands in, as its place in the table. `lib.rs` and `main.rs` stand above all.
fn height(rooms: &[&str], file: &str) -> Option<usize> {
    let holds = |room: &str| file.strip_prefix(room).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    if ["lib.rs", "main.rs"].contains(&file) {
        return Some(rooms.len());
    }
    rooms
        .iter()
        .enumerate()
        .filter(|(_, room)| holds(room))
        .max_by_key(|(_, room)| room.len())
        .map(|(height, _)| height)
}

#[test]
fn every_file_stands_in_a_room() {
    let mut homeless = Vec::new();
    for member in crates() {
        let Some((_, rooms)) = ROOMS.iter().find(|(name, _)| *name == member.name) else { continue };
        homeless.extend(member.files.iter().filter(|file| height(rooms, file).is_none()).cloned());
        let is_empty = |room: &usize| !member.files.iter().any(|file| height(rooms, file) == Some(*room));
        homeless.extend((0..rooms.len()).filter(is_empty).map(|room| format!("{} (no file is in it)", rooms[room])));
    }
    assert!(homeless.is_empty(), "give it its place in `ROOMS`: {homeless:#?}");
}

#[test]
fn imports_lead_down() {
    let mut upward = BTreeSet::new();
    for member in crates() {
        let Some((_, rooms)) = ROOMS.iter().find(|(name, _)| *name == member.name) else { continue };
        for ((from, to), names) in &member.imports {
            let (Some(source), Some(target)) = (height(rooms, from), height(rooms, to)) else { continue };
            if source < target {
                println!("{}: {from} → {to} {names:?}", member.name);
                let room = |height: usize| rooms.get(height).copied().unwrap_or("lib.rs");
                upward.insert(format!("{}: {} → {}", member.name, room(source), room(target)));
            }
        }
    }
    assert_known("imports-that-run-up.txt", &upward);
}

#[test]
fn no_files_import_each_other_in_circles() {
    let mut count = BTreeMap::<_, usize>::new();
    for member in crates() {
        let edges = member.imports.keys().map(|(from, to)| (from.as_str(), to.as_str()));
        for circle in circles::circles(edges) {
            println!("{}: {circle:?}", member.name);
            for file in circle {
                let room = file.split('/').next().unwrap_or(file);
                *count.entry(format!("{}/{room}", member.name)).or_default() += 1;
            }
        }
    }
    let found = count.iter().map(|(room, files)| format!("{room}: {files}")).collect();
    assert_known("files-in-circles.txt", &found);
}

#[test]
fn public_types_of_a_crate_have_names_of_their_own() {
    let mut same = BTreeSet::new();
    for member in crates() {
        for (name, files) in member.types.iter().filter(|(name, files)| files.len() > 1 && *name != SETTINGS) {
            println!("{}: {name} in {files:?}", member.name);
            same.insert(format!("{}: {name}", member.name));
        }
    }
    assert_known("types-of-one-name.txt", &same);
}
