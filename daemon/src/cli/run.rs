//! `nebula run`: runs one module in this process, with its standard streams.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::ArgMatches;
use http_body_util::{BodyExt, Empty};
use nebula_metering::work::Work;
use nebula_metering::work::thread::thread_cpu;
use nebula_metering::{CallId, FunctionId, Microjoules};
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;

use super::bill::{Bill, Charge};
use super::output::print;
use super::{EXIT_FAILURE, EXIT_USAGE, Failure, note};
use crate::config::Config;
use crate::knowledge::{KnowledgeFile, Machine};
use crate::meter::{self, Choice, EnergyMeter, OFF, Off, Sampler};
use crate::telemetry::{LogFormat, LogLevel, start_logging};
use nebula_runtime::{
    Answer, Completion, Directory, Ending, Exchange, Grants, Input, Invocation, Limits, Networks, Policy, Pool,
    Program, Recorder, Runtime, SocketPolicy,
};

/// The exit code of a guest that trapped, as if it had aborted. Source: wasmtime's command line.
const EXIT_TRAP: u8 = 134;

/// A user's own module on their own machine: all that 32-bit WebAssembly can address, and no limit of time.
const LIMITS: Limits = Limits {
    wall: Duration::MAX,
    memory: 4 << 30,
    table_elements: 10_000_000,
    stdout: 1 << 30,
    stderr: 1 << 20,
    files: usize::MAX,
};

// The only call and the only function.
const CALL: CallId = CallId(0);
const FUNCTION: FunctionId = FunctionId(0);

pub fn run(matches: &ArgMatches) -> super::Result {
    start_logging(LogFormat::Text, LogLevel(LevelFilter::WARN));
    let flags = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    let config = Config::read(flags, None).map_err(Failure::usage)?;

    let text = |key: &str| matches.get_many::<String>(key).into_iter().flatten().map(String::as_str);
    let mut command = text("command");
    let file = PathBuf::from(command.next().unwrap_or_default());
    let wasm = std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let runtime = Runtime::new(LIMITS, Pool::OnDemand, config.functions.tick)?.with_files_max(usize::MAX);
    let directories = text("dir").map(directory).collect::<Result<_, _>>()?;
    let outbound = Policy::parse(text("outbound")).map_err(|errors| wrong("outbound", &errors))?;
    let network = SocketPolicy::parse(text("network")).map_err(|errors| wrong("network", &errors))?;
    // Whoever runs their own module on their own machine names what it may reach, private or not.
    let outbound = outbound.reaching(Networks::all());
    let grants = Grants { directories, outbound, network, ..Grants::of(LIMITS) };
    let program =
        Program::compile(&runtime, &wasm, grants).with_context(|| format!("cannot run `{}`", file.display()))?;
    let arguments: Vec<_> = std::iter::once(name(&file)).chain(command.map(str::to_owned)).collect();
    let answer_of = program.kind().speaks_http().then(|| exchange(arguments.get(1))).transpose()?;
    let (input, answer) = answer_of.map_or((Input::Inherited, None), |(input, answer)| (input, Some(answer)));
    let invocation =
        Invocation { arguments, environment: text("env").filter_map(variable).collect(), input, trace: None };

    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let call = async {
        let call = program.call(invocation, Recorder::new(&LIMITS));
        match answer {
            Some(answer) => tokio::join!(call, print_answer(answer)),
            None => (call.await, Ok(())),
        }
    };
    let ((completion, printed), bill) = match config.meter.source {
        Some(source) => measured(&config, source, |meter| {
            let (ended, tally) = executor.block_on(meter.bracket(CALL, FUNCTION, call));
            (ended, tally.total())
        })?,
        None => (executor.block_on(call), no_bill(Off::Configured)),
    };
    // A thread that still reads stdin must not keep the process alive.
    executor.shutdown_background();

    printed?;
    print(&completion.output)?;
    let code = exit_code(&completion);
    if !matches.get_flag("quiet") {
        note(bill);
    }
    Ok(code)
}

fn wrong(flag: &str, errors: &[impl ToString]) -> Failure {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    Failure::usage(anyhow!("invalid value for --{flag}: {}", errors.join("; ")))
}

/// How the call ended, and whether its answer could be printed.
type Ended = (Completion, std::io::Result<()>);

/// A request for a module that serves HTTP: `GET` of the first argument, or of `/`.
fn exchange(path: Option<&String>) -> anyhow::Result<(Input, oneshot::Receiver<Answer>)> {
    let path = path.map_or("/", String::as_str);
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request = hyper::Request::get(format!("http://localhost{path}")).header("host", "localhost").body(body);
    let request = request.with_context(|| format!("`{path}` is not a request path: it must begin with `/`"))?;
    let (answer, answered) = oneshot::channel();
    Ok((Input::Http(Box::new(Exchange { request, answer })), answered))
}

/// Copies the body of an answer to stdout as it comes.
async fn print_answer(answer: oneshot::Receiver<Answer>) -> std::io::Result<()> {
    let Ok(answer) = answer.await else { return Ok(()) };
    let mut body = answer.into_body();
    // If the body breaks off, the call's ending says why.
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(bytes) = frame.into_data() {
            print(&bytes)?;
        }
    }
    Ok(())
}

/// Runs the call under a meter that starts from what daemons or `nebula calibrate` learned, and returns its bill too.
fn measured(
    config: &Config,
    source: Choice,
    call: impl FnOnce(&EnergyMeter) -> (Ended, Work),
) -> Result<(Ended, String), Failure> {
    let settings = &config.meter;
    let source = meter::open_source(source, &settings.sysfs_root, &settings.procfs_root)?;
    let clock = meter::open_clock(&settings.procfs_root, &settings.sysfs_root)?;
    let meter = Arc::new(EnergyMeter::new(source, settings, 1));
    if let Some(state) = &config.state {
        let machine = Machine::read(&settings.sysfs_root, &settings.procfs_root);
        meter.recall(KnowledgeFile::new(state, machine).peek(&meter.counters()));
    }
    let sampler = Sampler::start(meter.clone(), clock, |_| {})?;
    let (ended, work) = call(&meter);
    // The kernel adds a thread's CPU time to the process's clock at ticks, and when the thread reads its own. Without this
    // the last window would lack it.
    let _up_to_now = thread_cpu();
    // All slices have been posted; the last window closes with the sampler.
    drop(sampler);
    Ok((ended, bill(&meter, &work)))
}

/// The module's own exit code, or one that says how it failed.
fn exit_code(completion: &Completion) -> ExitCode {
    let (code, why) = match &completion.ending {
        // The kernel keeps the lowest byte of an exit code, as it does for every process.
        Ending::Exited(code) => return ExitCode::from((code & 0xff) as u8),
        Ending::Returned => return ExitCode::SUCCESS,
        Ending::Answered(status) if *status < 400 => return ExitCode::SUCCESS,
        Ending::Answered(status) => (EXIT_FAILURE, format!("the module answered with status {status}")),
        Ending::NoAnswer => (EXIT_FAILURE, "the module sent no answer".into()),
        Ending::Refused(why) => (EXIT_FAILURE, format!("the module failed to answer: {why}")),
        Ending::BadInput(why) => (EXIT_USAGE, why.clone()),
        Ending::Trapped(why) => (EXIT_TRAP, format!("the module trapped: {why}")),
        limit @ (Ending::OutOfMemory
        | Ending::OutputTooLarge
        | Ending::TimedOut
        | Ending::OverCpu
        | Ending::OverEnergy) => (EXIT_TRAP, format!("the module was stopped at a limit: {limit:?}")),
    };
    note(format_args!("nebula: {why}"));
    ExitCode::from(code)
}

/// The joules of the call, from the windows that it ran in.
fn bill(meter: &EnergyMeter, work: &Work) -> String {
    let calibration = meter.calibration();
    let zones = match meter.snapshot() {
        Ok(snapshot) => snapshot.zones,
        Err(off) => return no_bill(off),
    };
    let additive = || zones.iter().filter(|zone| zone.zone.is_additive());
    let charged = |of: fn(&nebula_metering::FunctionEnergy) -> Microjoules| -> Microjoules {
        additive().filter_map(|zone| zone.accounts.functions.first()).map(of).sum()
    };
    let energy = if additive().all(|zone| zone.accounts.total == Microjoules::ZERO) {
        Err("no energy was read while it ran")
    } else if charged(|function| function.active) == Microjoules::ZERO && !work.cpu.is_zero() {
        // The kernel updates the clocks of the machine only at ticks.
        Err("it ended before the clocks of the machine noticed it")
    } else {
        let base_known = additive().all(|zone| zone.base.is_some());
        Ok(Charge {
            active: charged(|function| function.active).joules(),
            uncertainty: calibration.estimate(FUNCTION, work).ok().map(|estimate| estimate.uncertainty.total()),
            base: base_known.then(|| charged(|function| function.base).joules()),
        })
    };
    // If the source changed meanwhile, the sum is only as good as the worst of them.
    let charged = additive().filter(|zone| zone.accounts.total > Microjoules::ZERO).map(|zone| zone.source);
    let source = charged.max().unwrap_or(calibration.source);
    Bill {
        energy,
        carbon: None,
        cpu: Some(work.cpu),
        source: source.as_str(),
        origin: meter::nature(source),
        work_model: meter::work_model(source.as_str(), work.events.is_some()),
    }
    .to_string()
}

/// The bill of a call that nothing measured.
fn no_bill(off: Off) -> String {
    Bill { energy: Err(&off.to_string()), carbon: None, cpu: None, source: OFF, origin: OFF, work_model: None }
        .to_string()
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `NAME=VALUE`, or `NAME` to pass on this process's variable.
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
    Ok(Directory { host: host.into(), guest: guest.into(), writable: true, special: false })
}
