//! Guests that compute: their CPU time in nebula, where they can be interrupted and are measured, and in `wasmtime run`.
//!
//! `cargo bench --bench compute` prints the table. It needs, in `$WASMTIME` or on the path, wasmtime's command line
//! (`cargo install wasmtime-cli --version 48.0.8 --locked`).

mod contest;

use std::fs;
use std::io::Write;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use contest::{Connection, Effort, Goal, Sample, Server, Wasmtime, artefact};
use serde_json::Value;

/// Functions, an input that takes them a second or more, and one that takes them nothing.
const GUESTS: [(&str, &str, &str); 4] = [
    ("fibonacci-recursive", "40", "1"),
    ("fibonacci-recursive-c", "41", "1"),
    ("prime-number", "1000000", "1"),
    ("estimate-pi", "100000000", "1"),
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
    println!("\nseconds of CPU time, medians");
    for (name, input, trivial) in GUESTS {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.of(ROUNDS, 3) {
            let startup = of_wasmtime(&wasmtime, name, trivial)?;
            let one = of_nebula(&nebula, name, input)? - of_nebula(&nebula, name, trivial)?;
            let other = of_wasmtime(&wasmtime, name, input)? - startup;
            ours.push(one);
            theirs.push(other);
            ratios.push(one / other);
        }
        let [ours, theirs, ratios] = [ours, theirs, ratios].map(Sample::new);
        println!("{name:>24} nebula {:.3}   wasmtime run {:.3}", ours.median(), theirs.median());
        let (least, median, most) = (ratios.at(0.0), ratios.median(), ratios.at(1.0));
        println!("{:>24} {median:.3}   {least:.3} to {most:.3}   {}", "ratio", GOAL.verdict(median));
    }
    Ok(())
}

/// By what its answer says.
fn of_nebula(server: &Server, name: &str, input: &str) -> anyhow::Result<f64> {
    let mut connection = Connection::open(server.address, &format!("/invoke/{name}?input={input}"))?;
    connection.ask()?;
    let envelope: Value = serde_json::from_str(connection.body()?)?;
    let nanos = envelope["work"]["cpu_ns"].as_u64().context("a call without CPU time")?;
    Ok(Duration::from_nanos(nanos).as_secs_f64())
}

/// With compilation, and everything else that the process does.
fn of_wasmtime(wasmtime: &Wasmtime, name: &str, input: &str) -> anyhow::Result<f64> {
    let before = of_children()?;
    let mut command = wasmtime.command();
    command.arg("run").arg(artefact(name)).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = command.spawn()?;
    process.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
    anyhow::ensure!(process.wait()?.success(), "`wasmtime run` failed on {name}");
    Ok(of_children()? - before)
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
