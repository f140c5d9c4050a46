//! The plan of the house, held against what the files really import.
//!
//! `cargo run -q -p nebula --example circles` prints what is behind a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

mod circles;
mod imports;
mod pages;

use std::path::Path;

use imports::Crate;

/// The rooms of each crate, from the bottom: a room imports only from those before it. A room is a file or folder below
/// `src`, and may have rooms of its own.
const ROOMS: [(&str, &str); 2] = [
    (
        "nebula",
        "causes units outcome regular_file reload thread_priority trace_context settings state carbon quota admission meter telemetry \
         knowledge calibrating functions invocation usage settling http/mod http/host http/role http/settings http/answer \
         http/sending http/request http/access \
         http/route http/record http/read http/page http/call http/app http/server config daemon cli",
    ),
    (
        "nebula-metering",
        "units shares rate remainder zone sysfs work source post counter learning uncertainty ledger whole calibration call_map \
         bucket presence calls bracket zone_meter meter",
    ),
];

/// The rooms of a crate, if it has a plan.
fn rooms(member: &Crate) -> Option<Vec<&'static str>> {
    let (_, rooms) = ROOMS.iter().find(|(name, _)| *name == member.name)?;
    Some(rooms.split(' ').collect())
}

/// Rooms may share this name: every room calls its options so.
const SETTINGS: &str = "Settings";

fn crates() -> Vec<Crate> {
    imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
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
        let Some(rooms) = rooms(&member) else { continue };
        homeless.extend(member.files.iter().filter(|file| height(&rooms, file).is_none()).cloned());
        let is_empty = |room: &usize| !member.files.iter().any(|file| height(&rooms, file) == Some(*room));
        homeless.extend((0..rooms.len()).filter(is_empty).map(|room| format!("{} (no file is in it)", rooms[room])));
    }
    assert!(homeless.is_empty(), "give it its place in `ROOMS`: {homeless:#?}");
}

#[test]
fn imports_lead_down() {
    let mut upward = Vec::new();
    for member in crates() {
        let Some(rooms) = rooms(&member) else { continue };
        for ((from, to), names) in &member.imports {
            let (Some(source), Some(target)) = (height(&rooms, from), height(&rooms, to)) else { continue };
            if source < target {
                upward.push(format!("{}: {from} → {to} {names:?}", member.name));
            }
        }
    }
    assert!(upward.is_empty(), "these imports lead to a room above: {upward:#?}");
}

#[test]
fn no_files_import_each_other_in_circles() {
    let mut found = Vec::new();
    for member in crates() {
        let edges = member.imports.keys().map(|(from, to)| (from.as_str(), to.as_str()));
        found.extend(circles::circles(edges).iter().map(|circle| format!("{}: {circle:?}", member.name)));
    }
    assert!(found.is_empty(), "these files import each other: {found:#?}");
}

#[test]
fn public_types_of_a_crate_have_names_of_their_own() {
    let mut same = Vec::new();
    for member in crates() {
        let shared = member.types.iter().filter(|(name, files)| files.len() > 1 && *name != SETTINGS);
        same.extend(shared.map(|(name, files)| format!("{}: {name} in {files:?}", member.name)));
    }
    assert!(same.is_empty(), "these types share a name: {same:#?}");
}
