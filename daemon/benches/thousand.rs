//! A thousand functions in one daemon: how long it takes to be ready, how much memory each keeps, and how much the others slow
//! down calls of one.
//!
//! `cargo bench --bench thousand` prints it. It needs `wrk` (Debian: `apt-get install wrk`).

mod contest;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use contest::{Contender, Effort, Functions, Goal, Pair, Resident, Server, artefact, distinct};
use tempfile::TempDir;

const FUNCTIONS: usize = 1000;

/// The function that is called.
const CALLED: &str = "f0500";
const PATH: &str = "/invoke/f0500";

const ROUNDS: usize = 9;

const GOAL: Goal = Goal::AtLeast(0.95);

fn main() -> ExitCode {
    contest::main("thousand", thousand)
}

fn thousand(effort: Effort) -> anyhow::Result<()> {
    contest::require_wrk()?;
    let hello = fs::read(artefact("hello-world"))?;
    let (all, alone) = (Functions::new()?, Functions::new()?);
    for index in 0..FUNCTIONS {
        let name = format!("f{index:04}");
        let file = format!("{name}.wasm");
        let module = distinct(&hello, index);
        if name == CALLED {
            alone.add(&file, &module)?;
        }
        all.add(&file, &module)?;
    }
    let (state, state_alone) = (TempDir::new()?, TempDir::new()?);
    let start = |state: &TempDir, functions: &Functions| Server::nebula_at(state.path(), &functions.options()?);

    println!("\nuntil it is ready, with {FUNCTIONS} functions besides those that come with it");
    let cold = start(&state, &all)?;
    println!("  nothing compiled yet {:>8.3} s", cold.start.as_secs_f64());
    drop(cold);
    let thousand = start(&state, &all)?;
    println!("  all compiled before  {:>8.3} s", thousand.start.as_secs_f64());
    drop(start(&state_alone, &alone)?);
    let alone = start(&state_alone, &alone)?;
    println!("  with one, compiled   {:>8.3} s", alone.start.as_secs_f64());

    println!("\nresident memory for each function, by the difference of {} functions", FUNCTIONS - 1);
    let each = |thousand: f64, alone: f64| (thousand - alone) / (FUNCTIONS - 1) as f64 / 1024.0;
    let resident = |which| Ok::<_, anyhow::Error>(each(thousand.resident(which)?, alone.resident(which)?));
    let (resident, anonymous) = (resident(Resident::All)?, resident(Resident::Anonymous)?);
    println!(
        "  compiled code        {:>8.1} KiB on disk, mapped",
        each(size(&state.path().join("code"))?, size(&state_alone.path().join("code"))?)
    );
    println!("  resident of that     {:>8.1} KiB", resident - anonymous);
    println!("  beyond it            {anonymous:>8.1} KiB");

    println!("\n{PATH} among {FUNCTIONS} functions against alone");
    let contenders =
        [("among all", &thousand), ("alone", &alone)].map(|(name, server)| Contender { name, server, path: PATH });
    contest::compare(effort, ROUNDS, &contenders, &[Pair { one: "among all", other: "alone", goal: Some(GOAL) }])
}

/// Bytes of all files below.
fn size(directory: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() as f64 };
    }
    Ok(bytes)
}
