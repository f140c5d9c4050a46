//! `nebula serve`: the daemon.

mod accounts;
mod listening;
mod loading;
mod measuring;
mod quota_metrics;
mod runtime_metrics;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::carbon::Carbon;
use crate::cli::Failure;
use crate::config::{Config, options};
use crate::functions::{Registry, Watch};
use crate::http::{Access, App, Tls, UsageFile};
use crate::invocation::{Admission, Invoker, LongCalls};
use crate::meter::{self, Metering, Off, Sampler};
use crate::settling::Settling;
use crate::telemetry::{CallBounds, Calls, Metrics, escaped, register_no_energy, start_logging};
use accounts::Accounts;
use listening::listen;
use loading::{load, open_cache, trust};
use measuring::{await_estimates, keep_carbon, observers, open_meter, power_cap, rates};
use nebula_runtime::{Pool, Runtime};

/// After how many polls a worker looks for news from its sockets. A poll of a guest that computes lasts a whole tick, and
/// tokio's own interval is 61 polls: too long for a new request to wait behind endless loops.
const EVENT_INTERVAL: u32 = 8;

/// Serves until a signal comes.
pub fn serve(matches: &ArgMatches) -> super::Result {
    let flags = |key: &str| matches.get_one::<String>(key).cloned();
    let file = matches.get_one::<String>("config").map(Path::new);
    let config = Config::read(flags, file).map_err(Failure::usage)?;
    start_logging(config.telemetry.log_format, config.telemetry.log_level);
    warn_of_unknown_variables();
    take_all_descriptors();
    let access = Arc::new(Access::open(&config.http.access).map_err(Failure::usage)?);
    let tls = config.http.tls.as_ref().map(Tls::open).transpose().map_err(Failure::usage)?.map(Arc::new);

    let carbon = Carbon::open(&config.carbon).map_err(Failure::usage)?;
    let metrics = Arc::new(Metrics::new(config.telemetry.labels_max)?);
    let calls = Arc::new(Calls::new(CallBounds {
        running: config.invocation.concurrency as usize,
        recent: config.telemetry.calls_recent,
    }));
    let observers = Arc::new(observers(&config, &metrics)?);
    let state = accounts::hold(config.state.as_deref())?;
    let accounts = Accounts::open(&config, &state)?;
    let (usage_log, log_handle) = accounts::open_log(&config)?.unzip();
    let registry = Arc::new(OnceLock::new());
    let power = power_cap(&config, &metrics)?;
    let (metering, sampler) = match config.meter.source {
        Some(source) => {
            let meter = open_meter(&config, source, &metrics, &accounts)?;
            let clock = meter::open_clock(&config.meter.procfs_root, &config.meter.sysfs_root)?;
            tracing::info!("CPU time of the machine: {}", clock.describe());
            let settling = Settling {
                registry: registry.clone(),
                meter: meter.clone(),
                metrics: metrics.clone(),
                calls: calls.clone(),
                observers: observers.clone(),
                usage_log: log_handle,
                power: power.clone(),
            };
            let sampler = Sampler::start(meter.clone(), clock, settling.into_consumer())?;
            (Metering::On(meter), Some(sampler))
        }
        None => {
            tracing::info!("{Off}: calls have no joules");
            register_no_energy(&metrics, Off)?;
            drop(log_handle);
            (Metering::Off(Off), None)
        }
    };

    trust(&config)?;
    let carbon_keeper = keep_carbon(&config, &carbon, &metrics, &metering, &accounts)?;
    let runtime =
        Runtime::new(config.functions.limits, Pool::Slots(config.invocation.concurrency), config.functions.tick)?;
    let runtime = match open_cache(&config, config.state.as_deref()) {
        Some(cache) => runtime.with_cache(cache),
        None => runtime,
    };
    runtime_metrics::register_runtime(&metrics, &runtime)?;
    let functions = Arc::new(Registry::new(config.functions.versions_max));
    let deployer = load(&config, config.state.as_deref(), runtime, &functions, &metrics, &metering)?;
    let functions = registry.get_or_init(|| functions).clone();
    let usage = UsageFile::new(accounts.file.clone());
    let books = (metering.clone(), functions.clone(), &*metrics);
    let keeper = accounts.keep(&config, books, usage_log.as_ref(), rates(&carbon))?;
    quota_metrics::register_quotas(&metrics, functions.clone())?;
    await_estimates(&metering);

    let bounds = config.invocation;
    let admission = Admission::new(bounds.concurrency as usize, bounds.queue, bounds.queue_wait);
    let in_flight = metrics.in_flight().clone();
    let long_calls = LongCalls::start(config.invocation.workers)?;
    let away = long_calls.handle();
    let invoker = Invoker::new(metering, calls.clone(), admission, away, config.invocation.settle_waiters, in_flight);
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
        policy: config.meter.policy,
        carbon,
        form: config.http.form,
        body_max: config.http.body_max,
        module_max: config.functions.module_max,
        body_timeout: config.http.connections.body_timeout,
        draining: AtomicBool::new(false),
    };
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.invocation.workers)
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

/// A misspelt variable would go unnoticed. It is no mistake to refuse: Kubernetes itself makes variables out of the name
/// of a service.
fn warn_of_unknown_variables() {
    let known = |name: &str| {
        matches!(name, "NEBULA_CONFIG" | "NEBULA_DAEMON" | "NEBULA_TOKEN")
            || options().any(|option| option.variable() == name)
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
