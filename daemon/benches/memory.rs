//! Resident memory of a daemon over a million calls: what grows with each call shows here.
//!
//! `cargo bench --bench memory` prints it.

mod contest;

use std::process::ExitCode;
use std::thread;

use contest::{Connection, Effort, Goal, PATH, Resident, Server};

const PATHS: [&str; 2] = [PATH, "/fn/hello-http"];

/// Until everything that is kept for further calls is there.
const WARM_UP: usize = 50_000;

const CALLS: usize = 1_000_000;
const STEPS: usize = 10;

/// Connections, a thread each.
const CONNECTIONS: usize = 8;

/// Percent.
const GOAL: Goal = Goal::AtMost(2.0);

fn main() -> ExitCode {
    contest::main("memory", memory)
}

fn memory(effort: Effort) -> anyhow::Result<()> {
    for path in PATHS {
        let nebula = Server::nebula(&[])?;
        let resident = || Ok::<_, anyhow::Error>(nebula.resident(Resident::All)? / f64::from(1 << 20));
        let fresh = resident()?;
        call(&nebula, path, WARM_UP)?;
        let warm = resident()?;
        println!("\n{path}\n{:>9} calls {fresh:>8.2} MiB\n{WARM_UP:>9} calls {warm:>8.2} MiB", 0);
        let step = effort.of(CALLS, CALLS / 10) / STEPS;
        let mut last = warm;
        for done in 1..=STEPS {
            call(&nebula, path, step)?;
            last = resident()?;
            println!("{:>9} calls {last:>8.2} MiB", WARM_UP + done * step);
        }
        let growth = (last / warm - 1.0) * 100.0;
        println!("since the first {WARM_UP}: {growth:+.2} %   {}", GOAL.verdict(growth));
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
