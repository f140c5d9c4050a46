//! `nebula run`: one module, here and now, with our own standard streams.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::ArgMatches;
use nebula_metering::source::SourceKind;
use nebula_metering::work::Work;
use nebula_metering::work::thread::thread_cpu;
use nebula_metering::{CallId, FunctionId, Microjoules};
use tracing::level_filters::LevelFilter;

use super::bill::{Bill, Charge};
use super::stdout::print;
use super::{EXIT_USAGE, Failure, tell};
use crate::config::{Config, Layers};
use crate::meter::{self, Choice, EnergyMeter, OFF, Off, Sampler};
use crate::runtime::{Completion, Directory, Ending, Invocation, Limits, Pool, Program, Runtime, Stdio};
use crate::telemetry::{LogFormat, LogLevel, start_logging};

/// A guest that trapped, as if it had aborted. Source: wasmtime's own command line.
const EXIT_TRAP: u8 = 134;

/// One's own module on one's own machine: what 32-bit WebAssembly can address, and all the time there is.
const LIMITS: Limits =
    Limits { wall: Duration::MAX, memory: 4 << 30, table_elements: 10_000_000, stdout: 1 << 30, stderr: 1 << 20 };

/// The only call and the only function.
const CALL: CallId = CallId(0);
const FUNCTION: FunctionId = FunctionId(0);

/// Runs the module and exits as it does.
pub fn run(matches: &ArgMatches) -> super::Result {
    start_logging(LogFormat::Text, LogLevel(LevelFilter::WARN));
    let flags = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    let layers = Layers::stack(flags, |name| std::env::var(name).ok(), &BTreeMap::new(), &mut Vec::new());
    let config = Config::check(&layers, Vec::new()).map_err(Failure::usage)?;

    let text = |key: &str| matches.get_many::<String>(key).into_iter().flatten().map(String::as_str);
    let file = PathBuf::from(text("file").next().unwrap_or_default());
    let wasm = std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let runtime = Runtime::new(LIMITS, Pool::OnDemand, config.tick)?;
    let program = Program::compile(&runtime, &wasm).with_context(|| format!("cannot run `{}`", file.display()))?;
    let invocation = Invocation {
        arguments: std::iter::once(name(&file)).chain(text("arguments").map(str::to_owned)).collect(),
        environment: text("env").filter_map(variable).collect(),
        directories: text("dir").map(directory).collect::<Result<_, _>>()?,
        stdio: Stdio::Inherited,
    };

    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let call = program.call(invocation);
    let (completion, bill) = match config.source {
        Some(source) => measured(&config, source, |meter| {
            let (completion, tally) = executor.block_on(meter.bracket(CALL, FUNCTION, call));
            (completion, tally.total())
        })?,
        None => (executor.block_on(call), no_bill()),
    };
    // A thread that waits for our stdin would keep us from ending.
    executor.shutdown_background();

    print(&completion.output)?;
    let code = exit_code(&completion);
    if !matches.get_flag("quiet") {
        tell(bill);
    }
    Ok(code)
}

/// Runs the only call under a meter, and gives its bill too.
fn measured(
    config: &Config,
    source: Choice,
    call: impl FnOnce(&EnergyMeter) -> (Completion, Work),
) -> Result<(Completion, String), Failure> {
    let opened = meter::open_source(source, &config.sysfs_root, &config.procfs_root)?;
    let settings = meter::Settings { window: config.window, postings: config.meter.postings, calls: 16, workers: 1 };
    let clock = meter::open_clock(&config.procfs_root, &config.sysfs_root)?;
    let meter = Arc::new(EnergyMeter::new(opened, &config.sysfs_root, settings));
    let sampler = Sampler::start(meter.clone(), clock, |_| {})?;
    let (completion, work) = call(&meter);
    // The kernel adds what a thread is running to the clocks of its process at ticks, and when the thread asks. The last
    // window would lack it.
    let _up_to_now = thread_cpu();
    // The last window closes with the sampler; all slices have been posted before.
    drop(sampler);
    Ok((completion, bill(&meter, &work)))
}

fn exit_code(completion: &Completion) -> ExitCode {
    match &completion.ending {
        Ending::Returned => ExitCode::SUCCESS,
        // The kernel keeps the lowest byte of an exit code, as it does for every process.
        Ending::Exited(code) => ExitCode::from((code & 0xff) as u8),
        Ending::BadInput(why) => {
            tell(format_args!("nebula: {why}"));
            ExitCode::from(EXIT_USAGE)
        }
        Ending::Trapped(why) => {
            tell(format_args!("nebula: the module trapped: {why}"));
            ExitCode::from(EXIT_TRAP)
        }
        Ending::OutOfMemory | Ending::OutputTooLarge | Ending::TimedOut => {
            tell(format_args!("nebula: the module was stopped at a limit: {:?}", completion.ending));
            ExitCode::from(EXIT_TRAP)
        }
    }
}

/// The joules of the only call, from the windows that it lived in.
fn bill(meter: &EnergyMeter, work: &Work) -> String {
    let calibration = meter.calibration();
    let zones = meter.snapshot().zones;
    let additive = || zones.iter().filter(|zone| zone.zone.is_additive());
    let charged = |of: fn(&nebula_metering::FunctionEnergy) -> Microjoules| -> Microjoules {
        additive().filter_map(|zone| zone.accounts.functions.first()).map(of).sum()
    };
    let energy = if additive().all(|zone| zone.accounts.total == Microjoules::ZERO) {
        Err("no energy was read while it ran")
    } else {
        let base_known = additive().all(|zone| zone.base.is_some());
        Ok(Charge {
            active: charged(|function| function.active).joules(),
            uncertainty: calibration.estimate(FUNCTION, work).ok().map(|estimate| estimate.uncertainty),
            base: base_known.then(|| charged(|function| function.base).joules()),
        })
    };
    // Where sources have changed meanwhile, the whole is no better than the lesser of them.
    let charged = additive().filter(|zone| zone.accounts.total > Microjoules::ZERO).map(|zone| zone.source);
    let source = charged.max().unwrap_or(calibration.source);
    let origin = match source {
        SourceKind::Simulated => "made up, nothing is measured",
        source if source.is_measured() => "measured",
        _ => "an estimate, not measured",
    };
    Bill { energy, cpu: Some(work.cpu), source: source.as_str(), origin }.to_string()
}

/// What is said of a call that nothing measured.
fn no_bill() -> String {
    Bill { energy: Err(&Off.to_string()), cpu: None, source: OFF, origin: OFF }.to_string()
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `NAME=VALUE`, or `NAME` for our own variable of that name.
fn variable(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.into(), value.into())),
        None => std::env::var(text).ok().map(|value| (text.into(), value)),
    }
}

/// `HOST` or `HOST::GUEST`.
fn directory(text: &str) -> anyhow::Result<Directory> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    std::fs::read_dir(host).with_context(|| format!("cannot open the directory `{host}` of --dir"))?;
    Ok(Directory { host: host.into(), guest: guest.into() })
}
