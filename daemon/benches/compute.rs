//! Guests that compute: their CPU time in nebula, where they can be interrupted and are measured, and in `wasmtime run`.
//!
//! `cargo bench --bench compute` prints the table. It needs, in `$WASMTIME` or on the path, wasmtime's command line
//! (`cargo install wasmtime-cli --version 48.0.8 --locked`).

mod contest;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use contest::{Connection, Effort, Goal, Sample, Server, Wasmtime, artefact};
use serde_json::Value;
use tempfile::TempDir;

/// A function, an input that keeps it busy and one that does not, and how often it is called in a round: the CPU time of
/// processes is reported in hundredths of a second.
struct Guest {
    name: &'static str,
    input: &'static str,
    trivial: &'static str,
    times: u32,
}

const GUESTS: [Guest; 4] = [
    Guest { name: "fibonacci-recursive", input: "40", trivial: "1", times: 1 },
    Guest { name: "fibonacci-recursive-c", input: "41", trivial: "1", times: 1 },
    Guest { name: "estimate-pi", input: "100000000", trivial: "1", times: 2 },
    Guest { name: "prime-number", input: "1000000", trivial: "1", times: 12 },
];

const ROUNDS: usize = 9;

/// A tenth slower.
const GOAL: Goal = Goal::AtMost(1.1);

fn main() -> ExitCode {
    contest::main("compute", compute)
}

fn compute(effort: Effort) -> anyhow::Result<()> {
    let Some(wasmtime) = Wasmtime::find() else { return Ok(()) };
    let nebula = Server::nebula(&[])?;
    println!("\nseconds of CPU time a call, medians");
    let compiled = TempDir::new()?;
    for Guest { name, input, trivial, times } in GUESTS {
        let file = compiled.path().join(name);
        let made = wasmtime.command().arg("compile").arg(artefact(name)).arg("-o").arg(&file).status()?;
        anyhow::ensure!(made.success(), "`wasmtime compile` failed on {name}");
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.of(ROUNDS, 3) {
            let startup = of_wasmtime(&wasmtime, &file, trivial, times)?;
            let one = of_nebula(&nebula, name, input, times)? - of_nebula(&nebula, name, trivial, times)?;
            let other = of_wasmtime(&wasmtime, &file, input, times)? - startup;
            ours.push(one);
            theirs.push(other);
            ratios.push(one / other);
        }
        let [ours, theirs, ratios] = [ours, theirs, ratios].map(Sample::new);
        println!("{name:>24} nebula {:.3}   wasmtime run {:.3}", ours.median(), theirs.median());
        println!("{:>24} {}   {}", "ratio", ratios.summary(), GOAL.verdict(ratios.median()));
    }
    Ok(())
}

/// CPU seconds of a call as its answer reports them.
fn of_nebula(server: &Server, name: &str, input: &str, times: u32) -> anyhow::Result<f64> {
    let mut connection = Connection::open(server.address, &format!("/invoke/{name}?input={input}"))?;
    let mut total = Duration::ZERO;
    for _ in 0..times {
        connection.ask()?;
        let envelope: Value = serde_json::from_str(connection.body()?)?;
        total += Duration::from_nanos(envelope["work"]["cpu_ns"].as_u64().context("a call without CPU time")?);
    }
    Ok(total.as_secs_f64() / f64::from(times))
}

/// CPU seconds of a whole process.
fn of_wasmtime(wasmtime: &Wasmtime, compiled: &Path, input: &str, times: u32) -> anyhow::Result<f64> {
    let before = of_children()?;
    for _ in 0..times {
        let mut command = wasmtime.command();
        command.args(["run", "--allow-precompiled"]).arg(compiled).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.spawn()?;
        process.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
        anyhow::ensure!(process.wait()?.success(), "`wasmtime run` failed on {}", compiled.display());
    }
    Ok((of_children()? - before) / f64::from(times))
}

/// CPU time of all processes that were waited for, in steps of a hundredth of a second.
/// Source: Linux `proc_pid_stat(5)`: `cutime` and `cstime` are the fields 16 and 17; what follows the name, which ends with
/// the last parenthesis, begins with field 3.
fn of_children() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).map(|field| field.parse().unwrap_or(0_u64)).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
