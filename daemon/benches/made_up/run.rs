//! One run of the daemon on the made-up machine, from its start: what it charged, beside the truth.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nebula_api::ledger::{Accounts, Ledger};
use serde_json::Value;
use tempfile::TempDir;

use super::load::{Called, Clients, Host, MODULE};
use super::machine::{Machine, Past, Quality};
use super::truth::{FUNCTIONS, Joules};
use crate::contest::Connection;

/// How a run starts, and what the host does.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Nothing runs at first. Otherwise host and clients are there from the start.
    pub quiet: bool,
    /// Part of a processor that the host uses.
    pub host: f64,
}

/// Quiet at the start of a quiet run, and the host before the daemon in a busy one.
const QUIET: Duration = Duration::from_secs(15);
const BUSY_BEFORE: Duration = Duration::from_secs(2);

/// CPU time of the long call.
const LONG: Duration = Duration::from_secs(20);

/// What comes on top of the idle power, and goes again.
const STEP_WATTS: f64 = 15.0;

/// When the idle power rises and falls and the long call begins, as parts of the whole.
const RISE_AT: f64 = 0.4;
const FALL_AT: f64 = 0.6;
const LONG_AT: f64 = 0.8;

/// The ledger is read this often.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// The ledger shows what was settled: windows of 100 ms, of which the last but one has been.
const SETTLED_AFTER: f64 = 0.15;

/// What the daemon had charged, and the truth of the same energy.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Seconds since the daemon started.
    pub at: f64,
    pub charged: Joules,
    pub truth: Joules,
    pub host_cpu: f64,
    /// What it had learned, for people.
    pub learned: String,
}

/// A call, its charge and the truth.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Seconds since the daemon started, at its end.
    pub at: f64,
    pub function: usize,
    pub truth: f64,
    /// Charge and half the width of its interval, in joules; `None` if it is unknown.
    pub charge: Option<(f64, f64)>,
    pub cpu: Duration,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub setting: Setting,
    pub samples: Vec<Sample>,
    pub calls: Vec<Call>,
    /// When the idle power rose and fell, in seconds since the daemon started.
    pub step: [f64; 2],
    pub quality: Quality,
}

/// Runs a daemon for this time.
pub fn run(setting: Setting, time: Duration) -> anyhow::Result<Record> {
    let machine = Machine::start()?;
    let host = (setting.host > 0.0).then(|| Host::start(setting.host)).transpose()?;
    if let Some(host) = &host {
        machine.run_host(host.pid());
    }
    thread::sleep(BUSY_BEFORE);
    let daemon = Daemon::start(&machine)?;
    let started = machine.now();
    let clients = Clients::new(&machine, daemon.address);
    let mut ledgers = Vec::new();
    let mut step = [0.0; 2];
    thread::scope(|scope| {
        let mut callers = Vec::new();
        let (mut begun, mut long) = (false, false);
        let watched = loop {
            let at = machine.now() - started;
            let part = at / time.as_secs_f64();
            if !begun && (!setting.quiet || at >= QUIET.as_secs_f64()) {
                callers = (0..FUNCTIONS.len())
                    .map(|function| {
                        scope.spawn({
                            let clients = &clients;
                            move || clients.call_often(function)
                        })
                    })
                    .collect();
                begun = true;
            }
            if part >= LONG_AT && !std::mem::replace(&mut long, true) {
                clients.call_long(LONG);
            }
            for (at_part, watts, when) in [(RISE_AT, STEP_WATTS, 0), (FALL_AT, 0.0, 1)] {
                if part >= at_part && step[when] == 0.0 {
                    machine.truth(|truth| truth.step_watts = watts);
                    step[when] = at;
                }
            }
            match daemon.ledger() {
                Ok(ledger) => ledgers.push((machine.now(), ledger)),
                Err(error) => break Err(error),
            }
            if part >= 1.0 {
                break Ok(());
            }
            thread::sleep(SAMPLE_EVERY);
        };
        clients.stop();
        let ends = callers.into_iter().map(|caller| caller.join().unwrap_or_else(|_| anyhow::bail!("a client failed")));
        watched.and(ends.collect::<anyhow::Result<()>>())
    })?;
    // The last calls are settled and logged.
    thread::sleep(Duration::from_secs(2));
    let charges = daemon.charges()?;
    let past = machine.past();
    let calls = clients.called().into_iter().map(|called| call(&called, &charges, started)).collect();
    Ok(Record { setting, samples: samples(&ledgers, &past, started), calls, step, quality: machine.quality() })
}

fn call(called: &Called, charges: &HashMap<String, Option<(f64, f64)>>, started: f64) -> Call {
    let &Called { ref invocation, function, at, cpu } = called;
    let charge = charges.get(invocation).copied().flatten();
    Call { at: at - started, function, truth: FUNCTIONS[function].1 * cpu.as_secs_f64(), charge, cpu }
}

/// Puts every ledger beside the truth at the moment when the counter had counted as much.
fn samples(ledgers: &[(f64, Ledger)], past: &[Past], started: f64) -> Vec<Sample> {
    let total = |ledger: &Ledger| ledger.sums.as_ref().map_or(0.0, |sums| sums.total_joules);
    let known: Vec<_> = ledgers.iter().filter(|(_, ledger)| total(ledger) > 0.0).collect();
    // The daemon counts from its first reading, which is known by nothing else.
    let mut starts: Vec<f64> = known
        .iter()
        .filter_map(|(at, ledger)| {
            let place = past.partition_point(|past| past.at < at - SETTLED_AFTER);
            Some(past.get(place)?.shown - total(ledger))
        })
        .collect();
    starts.sort_by(f64::total_cmp);
    let Some(start) = starts.get(starts.len() / 2) else { return Vec::new() };
    let sample = |(at, ledger): &(f64, Ledger)| {
        let past = past.get(past.partition_point(|past| past.shown < start + total(ledger)))?;
        let charged = charged(ledger.sums.as_ref()?);
        let (truth, host_cpu) = (past.truth, past.host_cpu);
        Some(Sample { at: at - started, charged, truth, host_cpu, learned: learned(ledger) })
    };
    known.into_iter().filter_map(sample).collect()
}

fn charged(sums: &Accounts) -> Joules {
    let function = |name: &str| sums.functions.get(name);
    let [heavy, light] = FUNCTIONS.map(|(name, _)| function(name).map_or(0.0, |account| account.active_joules));
    let preparing: f64 = sums.functions.values().map(|account| account.preparing_joules).sum();
    Joules([heavy, light, sums.host_joules, sums.runtime_joules + preparing, sums.base_joules])
}

fn learned(ledger: &Ledger) -> String {
    let calibrations = ledger.zones.iter().filter_map(|zone| zone.calibration.as_ref());
    let coefficients = calibrations.flat_map(|calibration| &calibration.coefficients);
    let named = coefficients.map(|known| {
        let name = known.function.as_deref().unwrap_or(&known.feature);
        format!("{name} {:.2} ± {:.2}", known.value, 1.96 * known.deviation)
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The daemon under test.
struct Daemon {
    process: Child,
    address: SocketAddr,
    state: TempDir,
}

impl Daemon {
    fn start(machine: &Machine) -> anyhow::Result<Self> {
        let state = TempDir::new()?;
        let functions = state.path().join("functions");
        fs::create_dir(&functions)?;
        for (name, _) in FUNCTIONS {
            fs::write(functions.join(name).with_extension("wat"), MODULE)?;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_nebula"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--limits-wall", "10m"]);
        command.args(machine.options()).arg("--state").arg(state.path());
        command.arg("--usage-log").arg(usage_log(state.path()));
        command.arg("--functions").arg(functions);
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start the daemon")?;
        machine.run_daemon(process.id());
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("the daemon has no stdout")?).read_line(&mut line)?;
        let address = line.trim_end().split_once("http://").and_then(|(_, address)| address.parse().ok());
        let address = address.with_context(|| format!("the daemon said `{line}`"))?;
        Ok(Self { process, address, state })
    }

    fn ledger(&self) -> anyhow::Result<Ledger> {
        let mut connection = Connection::open(self.address, "/energy")?;
        connection.ask()?;
        Ok(serde_json::from_str(connection.body()?)?)
    }

    /// The charge of every call that was settled, and half the width of its interval.
    fn charges(&self) -> anyhow::Result<HashMap<String, Option<(f64, f64)>>> {
        let log = fs::read_to_string(usage_log(self.state.path()))?;
        let parse = |line: &str| {
            let line: Value = serde_json::from_str(line)?;
            let id = line["invocation_id"].as_str().context("a line without id")?.to_owned();
            let charge = line["active_microjoules"].as_f64().map(|charge| charge / 1e6);
            Ok((id, charge.zip(line["uncertainty_joules"].as_f64())))
        };
        log.lines().map(parse).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn usage_log(state: &Path) -> std::path::PathBuf {
    state.join("usage.jsonl")
}
