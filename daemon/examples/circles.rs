//! Prints which rooms and which files of the workspace import each other in circles.
//!
//! `cargo run -q -p nebula --example circles [ROOT]` reads this tree, or the one at `ROOT`.

#![allow(clippy::expect_used, reason = "a tree that cannot be read ends the command")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[path = "../tests/architecture/circles.rs"]
mod circles;
#[path = "../tests/architecture/imports.rs"]
mod imports;

use circles::circles;
use imports::Crate;

fn main() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(here), PathBuf::from);
    for member in imports::read(&root) {
        println!("{}", member.name);
        rooms(&member);
        files(&member);
        let same = member.types.iter().filter(|(_, files)| files.len() > 1).map(|(name, _)| name.as_str()).collect();
        println!("  names of more than one public type: {}", list(&same));
    }
}

/// The first folder or file below `src`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

fn rooms(member: &Crate) {
    let mut between = BTreeMap::<_, BTreeSet<_>>::new();
    for ((from, to), names) in &member.imports {
        if room(from) != room(to) {
            let example = format!("{from} → {to} ({})", names.iter().next().map_or("", String::as_str));
            between.entry((room(from), room(to))).or_default().insert(example);
        }
    }
    let all: BTreeSet<_> = member.files.iter().map(|file| room(file)).collect();
    let found = circles(between.keys().copied());
    println!("  rooms in circles: {} of {}", found.iter().map(BTreeSet::len).sum::<usize>(), all.len());
    for circle in &found {
        println!("    {}", list(circle));
        for ((from, to), examples) in &between {
            if from < to && circle.contains(from) && circle.contains(to) {
                let Some(back) = between.get(&(*to, *from)) else { continue };
                println!("      {from} ↔ {to}");
                for way in [examples, back] {
                    println!("        {} of {}", way.first().map_or("", String::as_str), way.len());
                }
            }
        }
    }
}

fn files(member: &Crate) {
    let found = circles(member.imports.keys().map(|(from, to)| (from.as_str(), to.as_str())));
    println!("  files in circles: {} of {}", found.iter().map(BTreeSet::len).sum::<usize>(), member.files.len());
    for circle in &found {
        println!("    {}: {}", circle.len(), list(circle));
    }
}

fn list(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}
