//! Resident memory of a daemon over a million calls: what grows with each call shows here.
//!
//! `cargo bench --bench memory` prints it.

mod contest;

use std::process::ExitCode;
use std::thread;

use contest::{Connection, Effort, Goal, PATH, Resident, Sample, Server};
use tempfile::TempDir;

const PATHS: [&str; 2] = [PATH, "/fn/hello-http"];

/// Calls after which everything exists that is kept for further calls.
const WARM_UP: usize = 50_000;

const CALLS: usize = 1_000_000;
const STEPS: usize = 10;

/// The median of this many first steps is compared with that of the last: a single step moves by several percent, as the
/// allocator returns memory.
const OF: usize = 3;

/// Connections, a thread each.
const CONNECTIONS: usize = 8;

/// Percent.
const GOAL: Goal = Goal::AtMost(2.0);

fn main() -> ExitCode {
    contest::main("memory", memory)
}

fn memory(effort: Effort) -> anyhow::Result<()> {
    // Compiling leaves memory behind that is returned bit by bit. A daemon that finds everything compiled has none of it.
    let state = TempDir::new()?;
    drop(Server::nebula_at(state.path(), &[])?);
    for path in PATHS {
        let nebula = Server::nebula_at(state.path(), &[])?;
        let resident = || Ok::<_, anyhow::Error>(nebula.resident(Resident::All)? / f64::from(1 << 20));
        println!("\n{path}\n{:>9} calls {:>8.2} MiB", 0, resident()?);
        call(&nebula, path, WARM_UP)?;
        println!("{WARM_UP:>9} calls {:>8.2} MiB", resident()?);
        let step = effort.of(CALLS, CALLS / 10) / STEPS;
        let mut sizes = Vec::new();
        for done in 1..=STEPS {
            call(&nebula, path, step)?;
            let size = resident()?;
            println!("{:>9} calls {size:>8.2} MiB", WARM_UP + done * step);
            sizes.push(size);
        }
        let middle = |sizes: &[f64]| Sample::new(sizes.to_vec()).median();
        let growth = (middle(&sizes[STEPS - OF..]) / middle(&sizes[..OF]) - 1.0) * 100.0;
        println!("the last {OF} steps against the first {OF}: {growth:+.1} %   {}", GOAL.verdict(growth));
    }
    Ok(())
}

fn call(server: &Server, path: &str, calls: usize) -> anyhow::Result<()> {
    let ask = || {
        let mut connection = Connection::open(server.address, path)?;
        (0..calls / CONNECTIONS).try_for_each(|_| connection.ask())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a client panicked")))
    })
}
