//! `nebula serve`: the daemon.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ArgMatches;
use nebula_metering::work::Work;
use nebula_metering::work::host::HostClock;
use nebula_metering::{FunctionId, Joules, Settled};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::accounts::{self, Accounts};
use super::{Failure, quota_metrics};
use crate::carbon::{Carbon, Keeper};
use crate::causes::chain;
use crate::config::{Config, Deploy, Layers, Mistakes, OPTIONS, Observing, default_state, read_file, variable};
use crate::functions::{
    self, Ceilings, DeployBounds, Deployer, History, Preparation, Registry, Watch, load_modules, read_modules,
};
use crate::http::{Access, App, Door, Gate, Server, Tls, UsageFile, keep_fresh};
use crate::invocation::{Admission, Invoker, LongCalls, PowerCap};
use crate::meter::{self, CallEnd, Choice, EnergyMeter, Metering, NoCharge, Off, Sampler};
use crate::runtime::{CodeCache, Found, Pool, Runtime, set_extra_roots, tls_configuration};
use crate::telemetry::{
    AccessLog, AccessSettings, CallBounds, Calls, CarbonAccount, CarbonCollector, EnergyCollector, Metrics, Observers,
    TraceSettings, escaped, no_energy, start_logging,
};
use crate::usage::{Entry, LogHandle, Rates, Tariff};

/// How long the daemon waits for its first windows before it listens, and how often it looks for them.
const FIRST_WINDOWS_MAX: Duration = Duration::from_millis(500);
const FIRST_WINDOWS_PAUSE: Duration = Duration::from_millis(5);

/// After how many polls a worker looks for news from its sockets. A poll of a guest that computes lasts a whole tick, and
/// tokio's own interval is 61 polls: too long for a new request to wait behind endless loops.
const EVENT_INTERVAL: u32 = 8;

/// What a shell reports of a process that a signal ended.
const EXIT_SIGNAL: i32 = 128;

/// Serves until a signal comes.
pub fn serve(matches: &ArgMatches) -> super::Result {
    let config = configure(matches).map_err(Failure::usage)?;
    start_logging(config.log_format, config.log_level);
    warn_of_unknown_variables();
    take_all_descriptors();
    let access = Arc::new(Access::open(&config.access).map_err(Failure::usage)?);
    let tls = config.access.tls.as_ref().map(Tls::open).transpose().map_err(Failure::usage)?.map(Arc::new);

    let carbon = Carbon::open(&config.carbon).map_err(Failure::usage)?;
    let metrics = Arc::new(Metrics::new(config.labels_max)?);
    let calls =
        Arc::new(Calls::new(CallBounds { running: config.bounds.concurrency as usize, recent: config.meter.recent }));
    let observers = Arc::new(observers(&config, &metrics)?);
    let directory = config.state.clone().or_else(|| default_state(|name| std::env::var_os(name)));
    let state = accounts::hold(directory.as_deref())?;
    let accounts = Accounts::open(&config, &state)?;
    let (usage_log, log_handle) = accounts::open_log(&config)?.unzip();
    let registry = Arc::new(OnceLock::new());
    let power = power_cap(&config, &metrics)?;
    let (metering, sampler) = match config.source {
        Some(source) => {
            let meter = open_meter(&config, source, &metrics, &accounts)?;
            let clock = meter::open_clock(&config.procfs_root, &config.sysfs_root)?;
            tracing::info!("CPU time of the machine: {}", clock.describe());
            let told = (metrics.clone(), calls.clone(), observers.clone(), log_handle);
            let sampler = start_sampler(&meter, clock, registry.clone(), told, power.clone())?;
            (Metering::On(meter), Some(sampler))
        }
        None => {
            tracing::info!("{Off}: calls have no joules");
            metrics.register(no_energy(Off)?)?;
            drop(log_handle);
            (Metering::Off(Off), None)
        }
    };

    trust(&config)?;
    let carbon_keeper = keep_carbon(&config, &carbon, &metrics, &metering, &accounts)?;
    let runtime = Runtime::new(config.limits, Pool::Slots(config.bounds.concurrency), config.tick)?;
    let runtime = match open_cache(&config, directory.as_deref()) {
        Some(cache) => runtime.with_cache(cache),
        None => runtime,
    };
    let functions = Arc::new(Registry::new(config.bounds.versions));
    let deployer = load(&config, directory.as_deref(), runtime, &functions, &metrics, &metering)?;
    let functions = registry.get_or_init(|| functions).clone();
    let usage = UsageFile::new(accounts.file.clone());
    let books = (metering.clone(), functions.clone(), &*metrics);
    let keeper = accounts.keep(&config, books, usage_log.as_ref(), rates(&carbon))?;
    quota_metrics::register_quotas(&metrics, functions.clone())?;
    await_estimates(&metering);

    let bounds = config.bounds;
    let admission = Admission::new(bounds.concurrency as usize, bounds.queue, bounds.queue_wait);
    let in_flight = metrics.in_flight().clone();
    let long_calls = LongCalls::start(config.workers)?;
    let away = long_calls.handle();
    let invoker = Invoker::new(metering, calls.clone(), admission, away, config.meter.waiters, in_flight);
    let invoker = invoker.with_power_cap(power).observed_by(observers.clone());
    let app = App {
        access,
        registry: functions,
        deployer: deployer.clone(),
        invoker: Arc::new(invoker),
        metrics,
        calls,
        observers: observers.clone(),
        usage,
        policy: config.policy,
        carbon,
        form: config.form,
        body_max: bounds.body,
        module_max: bounds.module,
        body_timeout: config.http.body_timeout,
        draining: AtomicBool::new(false),
    };
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build()?;
    let watch = Watch::start(deployer, workers.handle().clone())?;
    workers.block_on(listen(&config, Arc::new(app), tls))?;
    drop(watch);
    // Calls that outlived their time of grace end with their threads.
    drop(long_calls);
    workers.shutdown_background();
    drop(carbon_keeper);
    // What the last window has settled is stored and logged before the end.
    drop(sampler);
    observers.flush();
    drop(keeper);
    drop(usage_log);
    drop(state);
    Ok(ExitCode::SUCCESS)
}

fn configure(matches: &ArgMatches) -> Result<Config, Mistakes> {
    let mut mistakes = Vec::new();
    let file = match matches.get_one::<String>("config") {
        Some(path) => read_file(Path::new(path), &mut mistakes),
        None => BTreeMap::new(),
    };
    let flags = |key: &str| matches.get_one::<String>(key).cloned();
    let layers = Layers::stack(flags, |name| std::env::var(name).ok(), &file, &mut mistakes);
    Config::check(&layers, mistakes)
}

/// A misspelt variable would go unnoticed. It is no mistake to refuse: Kubernetes itself makes variables out of the name
/// of a service.
fn warn_of_unknown_variables() {
    let known = |name: &str| {
        matches!(name, "NEBULA_CONFIG" | "NEBULA_DAEMON" | "NEBULA_TOKEN")
            || OPTIONS.iter().any(|option| variable(option) == name)
    };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("NEBULA_") && !known(name)) {
        tracing::warn!("the environment variable `{}` is not an option", escaped(&name));
    }
}

/// A connection takes a descriptor, and so does mapped code. The limit of 1024 that processes begin with is for those
/// that use `select`; others may raise it as far as the hard limit. Source: Linux `getrlimit(2)`, and `systemd.exec(5)` on
/// `LimitNOFILE=`.
fn take_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("as many files as before can be open: {error}");
    }
}

/// The meter of this daemon, shown in its metrics.
fn open_meter(
    config: &Config,
    source: Choice,
    metrics: &Metrics,
    accounts: &Accounts,
) -> Result<Arc<EnergyMeter>, Failure> {
    let opened = meter::open_source(source, &config.sysfs_root, &config.procfs_root)?;
    let settings = meter::Settings {
        window: config.window,
        postings: config.meter.postings,
        calls: config.meter.calls,
        // As many again run long calls.
        threads: 2 * config.workers,
    };
    let meter = Arc::new(EnergyMeter::new(opened, &config.sysfs_root, settings));
    let source = meter.source();
    tracing::info!(reason = source.reason, "energy source: {}", source.description);
    tracing::info!(no_events = meter.no_events(), "work of calls: {}", meter.describe_work());
    metrics.register(EnergyCollector::new(meter.clone(), metrics.labels().clone(), accounts.stored.clone()))?;
    Ok(meter)
}

/// Keeps the carbon intensity up to date, and shows in the metrics what comes with settled energy. Nothing is to be done
/// where nothing is said about carbon.
fn keep_carbon(
    config: &Config,
    carbon: &Carbon,
    metrics: &Metrics,
    metering: &Metering,
    accounts: &Accounts,
) -> Result<Option<Keeper>, Failure> {
    if config.carbon.source.is_none() {
        return Ok(None);
    }
    let endpoint = Carbon::endpoint(&config.carbon, tls_configuration()?)?;
    let account = |meter: &Arc<EnergyMeter>| CarbonAccount::new(carbon.clone(), meter.clone(), config.policy);
    let account = metering.meter().ok().map(|meter| Arc::new(account(meter)));
    let (labels, stored) = (metrics.labels().clone(), accounts.stored.clone());
    metrics.register(CarbonCollector::new(carbon.clone(), account.clone(), labels, stored)?)?;
    let tick = move || account.iter().for_each(|account| account.advance());
    Ok(Some(Keeper::start(carbon, &config.carbon, endpoint, tick)?))
}

/// What a joule comes to whenever somebody asks.
fn rates(carbon: &Carbon) -> impl Fn() -> Rates + Send + 'static {
    let carbon = carbon.clone();
    move || Rates {
        grams_per_joule: carbon.grams_per_joule(),
        tariff: carbon
            .cost(Joules(1.0))
            .map(|cost| Tariff { per_joule: cost.amount, currency: cost.currency.as_str().into() }),
    }
}

/// Those who are told of requests and calls.
fn observers(config: &Config, metrics: &Metrics) -> Result<Observers, Failure> {
    let Observing { traces, ratio, trace_queue, access, access_format, events } = config.observing.clone();
    let policy = config.policy;
    let access = access.map(|target| AccessSettings { target, format: access_format, policy });
    if let Some(endpoint) = &traces {
        tracing::info!("traces of calls go to {}", escaped(endpoint));
    }
    let traces = traces.map(|endpoint| TraceSettings { endpoint, ratio, queue: trace_queue, policy });
    Ok(Observers::start(access, traces, events, metrics)?)
}

fn start_sampler(
    meter: &Arc<EnergyMeter>,
    clock: HostClock,
    registry: Arc<OnceLock<Arc<Registry>>>,
    (metrics, calls, observers, log): (Arc<Metrics>, Arc<Calls>, Arc<Observers>, Option<LogHandle>),
    power: Option<Arc<PowerCap>>,
) -> Result<Sampler, Failure> {
    // What was settled before there was a table of functions: their own cold starts.
    let mut early = Vec::new();
    let (began, metered) = (Instant::now(), meter.clone());
    let settle = move |settled: Vec<Settled<CallEnd>>| {
        if let Some(power) = &power {
            power.observe(began.elapsed(), metered.functions_energy());
        }
        let Some(registry) = registry.get() else {
            early.extend(settled);
            return;
        };
        let mut lines = Vec::new();
        for settled in early.drain(..).chain(settled) {
            if let CallEnd::ColdStart(told) = &settled.end {
                // One that was made ready is settled once.
                let _ = told.set(settled.charge.clone().ok_or(NoCharge::Incomplete));
            }
            if let Some(revision) = registry.revision(settled.function) {
                metrics.settled(&revision.metrics, &settled);
                if log.is_some() {
                    lines.extend(Entry::of(&settled, &revision));
                }
            }
            let (function, known) = (settled.function, observers.settled(&settled));
            settled.end.settle_bill(settled.charge.as_ref());
            calls.settle(settled);
            // Whoever hears of it and asks for it finds it settled.
            if let (Some(revision), Some(known)) = (registry.revision(function), known) {
                observers.events.call(revision.name.as_str(), known);
            }
        }
        observers.window_closed(&metered);
        if let Some(log) = &log {
            log.push(lines);
        }
    };
    Ok(Sampler::start(meter.clone(), clock, settle)?)
}

/// The cap on the power of all functions, shown in metrics.
fn power_cap(config: &Config, metrics: &Metrics) -> Result<Option<Arc<PowerCap>>, Failure> {
    let Some(max) = config.quotas.power_max else { return Ok(None) };
    let power = Arc::new(PowerCap::new(max, config.bounds.queue, config.bounds.queue_wait));
    quota_metrics::register_power(metrics, &power)?;
    Ok(Some(power))
}

/// Where compiled code is kept. A daemon that has nowhere to keep it compiles at each start, and serves all the same.
fn open_cache(config: &Config, state: Option<&Path>) -> Option<CodeCache> {
    let nowhere = |why: &str| tracing::warn!("compiled code is not kept, each start compiles anew: {why}");
    if config.cache == 0 {
        tracing::info!("compiled code is not kept: `cache.size` is 0");
        return None;
    }
    let Some(directory) = config.cache_dir.as_deref().or(state) else {
        nowhere("no directory is given with `state`");
        return None;
    };
    match CodeCache::open(directory, config.cache) {
        Ok(cache) => {
            tracing::info!("compiled code is kept in `{}`", escaped(&cache.directory().display().to_string()));
            Some(cache)
        }
        Err(error) => {
            nowhere(&escaped(&chain(&error)));
            None
        }
    }
}

/// Waits until calls can be told what they cost, so that the first ones are. Not for long: a source may have nothing to say.
fn await_estimates(metering: &Metering) {
    let Ok(meter) = metering.meter() else { return };
    let work = Work::of_cpu(Duration::from_millis(1));
    let until = Instant::now() + FIRST_WINDOWS_MAX.min(meter.window() * 4);
    while meter.estimate(FunctionId(0), &work).is_err() && Instant::now() < until {
        std::thread::sleep(FIRST_WINDOWS_PAUSE);
    }
}

/// Takes in the authorities that outbound requests trust besides those of the web.
fn trust(config: &Config) -> Result<(), Failure> {
    let Some(path) = &config.outbound_ca else { return Ok(()) };
    let shown = path.display();
    let pem = std::fs::read(path).with_context(|| format!("cannot read `{shown}` (`outbound.ca`)"))?;
    let count = set_extra_roots(&pem).with_context(|| format!("cannot use `{shown}` (`outbound.ca`)"))?;
    tracing::info!("outbound requests trust {count} more authorities, of `{shown}`");
    Ok(())
}

/// Loads all functions, and gives what changes them from then on.
fn load(
    config: &Config,
    state: Option<&Path>,
    runtime: Runtime,
    registry: &Arc<Registry>,
    metrics: &Arc<Metrics>,
    metering: &Metering,
) -> Result<Arc<Deployer>, Failure> {
    let settings = functions::Settings {
        functions_max: config.bounds.functions,
        size_max: config.bounds.module,
        ceilings: Ceilings {
            memory: config.limits.memory,
            wall: config.limits.wall,
            output: config.limits.stdout,
            concurrency: config.bounds.concurrency,
        },
        queue: (config.bounds.queue, config.bounds.queue_wait),
        quota: config.quotas.each,
    };
    let preparation =
        Preparation::new(settings, Arc::new(runtime), metrics.clone(), metering.clone(), registry.clone());
    let started = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let progress = |done: usize, all: usize| {
        if terminal {
            // A line that overwrites itself; lost on a terminal that is gone.
            let end = if done == all { "\r\x1b[K" } else { "" };
            let _ = write!(std::io::stderr(), "\rloading functions: {done} of {all}{end}");
        }
    };
    // A directory that was named must be there; the one in state is made when something is deployed.
    let in_state = state.map(|state| state.join("functions"));
    let read = config.functions.clone().or_else(|| in_state.clone().filter(|directory| directory.exists()));
    let files = functions::load(read.as_deref(), &preparation, &progress)?;
    if let Some(file) = &config.modules {
        load_modules(file, read_modules(file).map_err(Failure::usage)?, &preparation)?;
    }
    let all = registry.all();
    let cached = all.iter().filter(|function| function.program.found() == Found::Cached).count();
    let (all, compiled) = (all.len(), all.len() - cached);
    tracing::info!("{all} functions in {:.0?}: {compiled} compiled, {cached} from the cache", started.elapsed());
    let directory = config.functions.clone().or(in_state);
    let history = state.map(|state| History::new(state.join("versions"), config.deploy.keep));
    let Deploy { compilations, queue, time, ref directories, .. } = config.deploy;
    let bounds = DeployBounds { compilations, queue: (queue, time), time, directories: directories.clone() };
    Ok(Arc::new(Deployer::new(Arc::new(preparation), directory, history, bounds, files)))
}

async fn listen(config: &Config, app: Arc<App>, tls: Option<Arc<Tls>>) -> Result<(), Failure> {
    let callers = Server::bind(config.listen, config.http, tls.clone()).await?;
    let admin = match config.admin {
        Some(address) => Some(Server::bind(address, config.http, tls.clone()).await?),
        None => None,
    };
    let door = Door::callers(config.resolution, config.expose, admin.is_some());
    warn_of_open_doors(config, door);
    let signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    tokio::spawn(keep_fresh(app.access.watched().into_iter().chain(tls.map(|tls| tls.watched())).collect()));
    announce(&callers, admin.as_ref())?;
    let (stop, _) = watch::channel(());
    let stopped = || {
        let mut stopped = stop.subscribe();
        async move { drop(stopped.changed().await) }
    };
    let observers = app.observers.clone();
    let gate = Gate::of_callers(callers.address(), door, admin.is_some());
    let callers = callers.serve(app.clone(), gate, stopped());
    let admin = admin.map(|admin| {
        let gate = Gate::of_management(admin.address(), door);
        admin.serve(app, gate, stopped())
    });
    let admin = async {
        match admin {
            Some(serve) => serve.await,
            None => true,
        }
    };
    tokio::spawn(watch_signals(signals, stop));
    reopen_at_hangup(observers)?;
    let (drained, admin_drained) = tokio::join!(callers, admin);
    if drained && admin_drained {
        tracing::info!("drained");
    } else {
        tracing::warn!("calls were cut off at the end of their time of grace ({:?})", config.http.grace);
    }
    Ok(())
}

/// Says where it listens. In one write: whoever wants the first line only may have closed the pipe before a second.
fn announce(callers: &Server, admin: Option<&Server>) -> std::io::Result<()> {
    let callers = format!("listening on {}\n", callers.url());
    let admin = admin.map(|admin| format!("admin on {}\n", admin.url()));
    let lines = callers + &admin.unwrap_or_default();
    let mut stdout = std::io::stdout();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

/// What strangers can see, do or overhear is worth a word.
fn warn_of_open_doors(config: &Config, callers: Door) {
    let access = &config.access;
    for address in [Some(config.listen), config.admin].into_iter().flatten().filter(|at| !at.ip().is_loopback()) {
        if access.is_open_at(address) {
            let is_operator = config.admin.is_none_or(|admin| admin == address);
            let may = if is_operator { "deploys, calls and is an operator" } else { "calls" };
            tracing::warn!("whoever can reach {address} {may}: nobody is asked who they are (`access = \"open\"`)");
        } else if access.tls.is_none() {
            tracing::warn!(
                "tokens pass in the clear at {address}: give `tls.cert` and `tls.key`, or let only a proxy that speaks TLS \
                 reach it"
            );
        }
    }
    if !config.listen.ip().is_loopback() && access.is_open_at(config.listen) && callers.tells_more_by_totals() {
        tracing::warn!(
            "joules of calls are rounded, but whoever can reach {} sees exact totals at /metrics and /energy; give \
             operators an address of their own (`admin.listen`), and they are served there alone",
            config.listen
        );
    }
}

/// Begins the access log anew when whoever rotates it says so. Without one a hangup ends the daemon, as it ends others.
fn reopen_at_hangup(observers: Arc<Observers>) -> std::io::Result<()> {
    if observers.access_log.is_none() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let observers = observers.clone();
            let reopen = move || observers.access_log.as_ref().map(AccessLog::reopen);
            // It waits for the disk.
            let _ = tokio::task::spawn_blocking(reopen).await;
        }
    });
    Ok(())
}

/// The first signal drains, the second cuts.
async fn watch_signals([mut terminate, mut interrupt]: [Signal; 2], stop: watch::Sender<()>) {
    next_signal(&mut terminate, &mut interrupt).await;
    tracing::info!("draining: a second signal cuts it short");
    let _ = stop.send(());
    let number = next_signal(&mut terminate, &mut interrupt).await;
    std::process::exit(EXIT_SIGNAL + number);
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
