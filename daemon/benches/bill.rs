//! What metering costs: a daemon that measures beside one that does not (`--source off`), under load and at rest.
//!
//! `cargo bench --bench bill` prints both. It needs `wrk` (Debian: `apt-get install wrk`).

mod contest;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use contest::{Contender, Effort, PATH, Pair, Sample, Server};

/// Rounds of runs: more than a difference of two in a hundred needs among busy neighbours.
const ROUNDS: usize = 15;

/// Periods of rest, and how long each is.
const RESTS: usize = 6;
const REST: Duration = Duration::from_secs(5);

/// The sampler's CPU time as the daemon reports it.
const METER_CPU: &str = "nebula_meter_cpu_seconds_total";

fn main() -> ExitCode {
    contest::main("bill", bill)
}

fn bill(effort: Effort) -> anyhow::Result<()> {
    contest::require_wrk()?;
    let (metered, unmetered) = (Server::nebula(&[])?, Server::nebula(&["--source", "off"])?);
    let info = metered.get("/metrics")?;
    let info = info.lines().find(|line| line.starts_with("nebula_energy_source_info"));
    println!("metered: {}", info.unwrap_or_default());

    let rests = effort.of(RESTS, 1);
    println!("\nat rest, percent of one processor over {rests} times {REST:?}");
    rest(&metered, &unmetered, rests)?;
    println!("\n{PATH} with metering against without");
    let servers = [("metered", &metered), ("unmetered", &unmetered)];
    let contenders = servers.map(|(name, server)| Contender { name, server, path: PATH });
    contest::compare(effort, ROUNDS, &contenders, &[Pair { one: "metered", other: "unmetered", goal: None }])?;
    println!("\nat rest again, after the load");
    rest(&metered, &unmetered, rests)
}

/// CPU time of both daemons over the same periods of rest.
fn rest(metered: &Server, unmetered: &Server, rests: usize) -> anyhow::Result<()> {
    let mut shares = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rests {
        // A daemon that answers is not at rest, so the metric is read before the period begins and after it has ended.
        let sampler = metered.metric(METER_CPU)?;
        let (started, before) = (Instant::now(), [metered.cpu()?, unmetered.cpu()?]);
        thread::sleep(REST);
        let (time, after) = (started.elapsed().as_secs_f64(), [metered.cpu()?, unmetered.cpu()?]);
        let sampler = metered.metric(METER_CPU)? - sampler;
        let (on, off) = (after[0] - before[0], after[1] - before[1]);
        for (shares, cpu) in shares.iter_mut().zip([on, off, on - off, sampler]) {
            shares.push(cpu / time * 100.0);
        }
    }
    for (what, shares) in ["metered", "unmetered", "difference", "sampler, by its own metric"].iter().zip(shares) {
        println!("{what:>26} {} %", Sample::new(shares).summary());
    }
    Ok(())
}
