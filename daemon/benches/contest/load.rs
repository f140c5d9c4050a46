//! Load from `wrk` on several servers in turn.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Effort, Goal, Sample, Server};

const CONNECTIONS: [u32; 2] = [8, 64];

/// Three windows of the default length.
const SETTLED: Duration = Duration::from_millis(300);

/// A server, and the path that is called on it.
#[derive(Clone, Copy)]
pub struct Contender<'a> {
    pub name: &'a str,
    pub server: &'a Server,
    pub path: &'a str,
}

/// Two contenders, and the goal for the ratio of their calls per second. Skipped if one of them is missing.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub one: &'a str,
    pub other: &'a str,
    pub goal: Option<Goal>,
}

/// Fails if the load generator is not installed.
pub fn require_wrk() -> anyhow::Result<()> {
    match Command::new("wrk").arg("-v").output() {
        Ok(_) => Ok(()),
        Err(_) => bail!("it needs wrk: `apt-get install wrk`"),
    }
}

struct Run {
    /// Requests per second.
    rate: f64,
    /// Microseconds of CPU time for each.
    cpu: f64,
}

/// An answer other than 200 is an error.
fn load(Contender { server, path, .. }: Contender<'_>, connections: u32, seconds: u32) -> anyhow::Result<Run> {
    let before = server.cpu()?;
    let mut wrk = Command::new("wrk");
    let url = format!("http://{}{path}", server.address);
    wrk.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), &url]);
    let report = String::from_utf8(wrk.output()?.stdout)?;
    anyhow::ensure!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    // Work after the answer counts too: the last calls are settled within a few windows.
    thread::sleep(SETTLED);
    let cpu = server.cpu()? - before;
    let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context(report.clone())?;
    let count = report.lines().find_map(|line| line.split_once(" requests in ")).context(report.clone())?.0;
    Ok(Run { rate: rate.trim().parse()?, cpu: cpu * 1e6 / count.trim().parse::<f64>()? })
}

/// Loads all contenders in every round, each time beginning with another one, and prints their medians and the ratios of
/// pairs. Noise from other programs affects the runs of a round alike, and CPU time least.
pub fn compare(effort: Effort, rounds: usize, contenders: &[Contender<'_>], pairs: &[Pair<'_>]) -> anyhow::Result<()> {
    let (rounds, seconds) = (effort.of(rounds, rounds.min(3)), effort.of(3, 1));
    for connections in CONNECTIONS {
        let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..contenders.len() {
                let index = (round + turn) % contenders.len();
                runs[index].push(load(contenders[index], connections, seconds)?);
            }
        }
        println!("\n{connections} connections, medians of {rounds} rounds");
        for (contender, runs) in contenders.iter().zip(&runs) {
            let rate = Sample::new(runs.iter().map(|run| run.rate).collect()).median();
            let cpu = Sample::new(runs.iter().map(|run| run.cpu).collect()).median();
            println!("{:>34} {rate:>9.0} calls/s {cpu:>8.1} µs CPU/call", contender.name);
        }
        for Pair { one, other, goal } in pairs {
            let named = |name: &str| contenders.iter().position(|contender| contender.name == name);
            let Some((first, second)) = named(one).zip(named(other)) else { continue };
            let ratios = |figure: fn(&Run) -> f64| {
                Sample::new(runs[first].iter().zip(&runs[second]).map(|(one, two)| figure(one) / figure(two)).collect())
            };
            let (rate, cpu) = (ratios(|run| run.rate), ratios(|run| run.cpu));
            let verdict = goal.map(|goal| goal.verdict(rate.median())).unwrap_or_default();
            println!("{one} ÷ {other}:");
            for (what, ratios, verdict) in [("calls/s", rate, verdict), ("CPU/call", cpu, String::new())] {
                let (least, low, high, most) = (ratios.at(0.0), ratios.at(0.25), ratios.at(0.75), ratios.at(1.0));
                println!(
                    "{what:>34} {:>9.3}   middle half {low:.3} to {high:.3}, all {least:.3} to {most:.3}   {verdict}",
                    ratios.median()
                );
            }
        }
    }
    Ok(())
}
