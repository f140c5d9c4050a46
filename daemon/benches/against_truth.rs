//! Charges against the truth: the real daemon on a made-up machine whose power follows real CPU time.
//!
//! Two functions take 12 and 6 W a second of CPU time, a process of the host and the daemon itself 8 W; the machine draws
//! 20 W when idle and 5 W more while anything runs. The daemon starts while nothing runs, or while everything does, and
//! knows nothing. Later one call takes 20 s of CPU time, and the idle power rises by 15 W and falls again.
//!
//! `cargo bench --bench against_truth -- --minutes 6 --out FILE.svg` prints tables and draws a picture. Power follows CPU
//! time, so what else the real machine does changes how much is called, not what it costs. `--at-once N` runs N settings
//! at the same time, and `--only TEXT` those whose name contains the text.

mod contest;
mod made_up;

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::Context;
use contest::Effort;
use made_up::load::{HOST_FLAG, be_host};
use made_up::picture;
use made_up::report;
use made_up::run::{Record, Setting, run};

/// Parts of a processor that the host uses.
const HOSTS: [f64; 3] = [0.0, 0.5, 0.95];

const MINUTES: f64 = 6.0;
const MINUTES_QUICK: f64 = 2.0;

fn main() -> ExitCode {
    if let Some(busy) = option(HOST_FLAG).and_then(|busy| busy.parse().ok()) {
        be_host(busy);
        return ExitCode::SUCCESS;
    }
    contest::main("against_truth", against_truth)
}

fn against_truth(effort: Effort) -> anyhow::Result<()> {
    let minutes = match option("--minutes") {
        Some(minutes) => minutes.parse().context("`--minutes` takes a number")?,
        None => effort.of(MINUTES, MINUTES_QUICK),
    };
    let at_once = option("--at-once").map_or(Ok(1), |count| count.parse()).context("`--at-once` takes a number")?;
    let only = option("--only").unwrap_or_default();
    let settings = [true, false].into_iter().flat_map(|quiet| HOSTS.map(|host| Setting { quiet, host }));
    let settings: Vec<_> = settings.filter(|setting| setting.to_string().contains(&only)).collect();
    println!("{} runs of {minutes} minutes, on {} processors", settings.len(), thread::available_parallelism()?);
    let mut records = Vec::new();
    for settings in settings.chunks(usize::max(at_once, 1)) {
        for record in run_all(settings, Duration::from_secs_f64(minutes * 60.0)) {
            let record = record?;
            report::print(&record);
            records.push(record);
        }
    }
    if let Some(path) = option("--out") {
        fs::write(&path, picture::draw(&records)).with_context(|| format!("cannot write `{path}`"))?;
    }
    Ok(())
}

fn run_all(settings: &[Setting], time: Duration) -> Vec<anyhow::Result<Record>> {
    thread::scope(|scope| {
        let runs: Vec<_> = settings.iter().map(|&setting| scope.spawn(move || run(setting, time))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| anyhow::bail!("a run failed"))).collect()
    })
}

/// The argument after `name`.
fn option(name: &str) -> Option<String> {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    arguments.next()
}
