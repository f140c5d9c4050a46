//! The daemon: started from a configuration, run until a signal comes, drained, and ended in order.

mod accounts;
mod listening;
mod loading;
mod measuring;
mod quota_metrics;
mod runtime_metrics;
mod signals;
mod start_error;
mod uncertainty_metrics;

use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;

use crate::admission::Admission;
use crate::carbon::{self, Carbon};
use crate::config::Config;
use crate::functions::Watch;
use crate::http::{Access, App, Backlog, Parts, Tls, UsageFile};
use crate::invocation::{Invoker, LongCalls, Waiters};
use crate::knowledge::KnowledgeKeeper;
use crate::meter::Sampler;
use crate::settling::Settling;
use crate::state::State;
use crate::telemetry::{CallBounds, Calls, Metrics, Observers};
use crate::usage::{self, UsageLog};
use accounts::Accounts;
pub use listening::Addresses;
pub use start_error::StartError;

/// After how many polls a worker looks for news from its sockets. A poll of a guest that computes lasts a whole tick, and
/// tokio's own interval is 61 polls: too long for a new request to wait behind endless loops.
const EVENT_INTERVAL: u32 = 8;

/// A daemon that is ready to listen.
///
/// Fields are dropped in the order in which they are declared, and this is the order in which a daemon ends.
pub struct Daemon {
    config: Config,
    tls: Option<Arc<Tls>>,
    app: Arc<App>,
    backlog: Arc<Backlog>,
    /// No function is loaded any more.
    _watch: Watch,
    /// Calls that outlived their time of grace end with their threads.
    _long_calls: LongCalls,
    workers: Workers,
    _carbon: Option<carbon::CarbonUpdater>,
    /// Closes a last window and settles all calls.
    _sampler: Option<Sampler>,
    /// Writes and sends what observers still hold, the last settled calls included.
    _observers: Flush,
    /// Stores what the last window has taught.
    _knowledge: Option<KnowledgeKeeper>,
    /// Stores what the last window has settled.
    _accounts: Option<usage::Flusher>,
    /// Writes the last settled calls.
    _usage_log: Option<UsageLog>,
    /// Lets another daemon have the state directory, now that nothing is written to it any more.
    _state: Option<State>,
}

/// The threads that serve requests and run short calls.
struct Workers(Option<Runtime>);

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct Flush(Arc<Observers>);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

impl Daemon {
    /// Opens everything that the configuration names, loads the functions and begins to measure.
    ///
    /// # Errors
    /// If something cannot be opened that the daemon does not do without.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let access = Arc::new(Access::open(&config.http.access).map_err(StartError::configuration)?);
        let tls = config.http.tls.files().as_ref().map(Tls::open).transpose().map_err(StartError::configuration)?;
        let carbon = Carbon::open(&config.carbon).map_err(StartError::configuration)?;
        let metrics = Arc::new(Metrics::new(config.telemetry.labels_max)?);
        let calls = Arc::new(Calls::new(CallBounds {
            running: config.invocation.concurrency as usize,
            recent: config.telemetry.calls_recent,
        }));
        let observers = Arc::new(measuring::observers(&config, &metrics)?);
        let state = accounts::hold(config.state.as_deref())?;
        let accounts = Accounts::open(&config, &state)?;
        let (usage_log, log_handle) = accounts::open_log(&config)?.unzip();
        let power = measuring::power_cap(&config, &metrics)?;
        let loaded = Arc::new(OnceLock::new());
        let settling = |meter| Settling {
            registry: loaded.clone(),
            meter,
            metrics: metrics.clone(),
            calls: calls.clone(),
            observers: observers.clone(),
            usage_log: log_handle,
            power: power.clone(),
        };
        loading::trust(&config)?;
        let learned = measuring::knowledge_file(&config, &state);
        let (metering, sampler) =
            measuring::start(&config, &metrics, accounts.stored.clone(), learned.as_ref(), settling)?;
        let carbon_keeper = measuring::keep_carbon(&config, &carbon, &metrics, &metering, accounts.stored.clone())?;

        let (registry, deployer) = loading::load(&config, &metrics, &metering)?;
        let registry = loaded.get_or_init(|| registry).clone();
        let knowledge = measuring::keep_knowledge(learned, &metering, registry.clone())?;
        let usage_file = UsageFile::new(accounts.file.clone());
        let counted = (metering.clone(), registry.clone(), &*metrics);
        let accounts = accounts.keep(&config, counted, usage_log.as_ref(), measuring::rates(&carbon))?;
        quota_metrics::register_quotas(&metrics, registry.clone())?;
        uncertainty_metrics::register(&metrics, registry.clone())?;
        measuring::await_estimates(&metering);

        let long_calls = LongCalls::start(config.invocation.workers)?;
        let admission = {
            let bounds = config.invocation;
            Admission::new(bounds.concurrency as usize, bounds.queue, bounds.queue_wait)
        };
        let invoker = Invoker {
            metering,
            calls: calls.clone(),
            admission,
            long_calls: long_calls.handle(),
            waiters: Waiters::new(config.invocation.settle_waiters),
            in_flight: metrics.in_flight.clone(),
            observers: observers.clone(),
            power,
        };
        let backlog = Arc::new(Backlog::new(config.http.connections.sending));
        let app = App::new(Parts {
            access,
            registry,
            deployer: deployer.clone(),
            invoker: Arc::new(invoker),
            metrics,
            calls,
            observers: observers.clone(),
            usage: usage_file,
            policy: config.meter.policy,
            carbon,
            form: config.http.form,
            connections: config.http.connections,
            module_max: config.functions.module_max,
            backlog: backlog.clone(),
        });
        let workers = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.invocation.workers)
            .event_interval(EVENT_INTERVAL)
            .enable_all()
            .build()?;
        Ok(Self {
            config,
            tls: tls.map(Arc::new),
            app: Arc::new(app),
            backlog,
            _watch: Watch::start(deployer, workers.handle().clone())?,
            _long_calls: long_calls,
            workers: Workers(Some(workers)),
            _carbon: carbon_keeper,
            _sampler: sampler,
            _observers: Flush(observers),
            _knowledge: knowledge,
            _accounts: accounts,
            _usage_log: usage_log,
            _state: state.ok(),
        })
    }

    /// Listens, passes the addresses to `announce`, and serves until a signal comes; then lets running calls finish.
    pub fn run(self, announce: impl FnOnce(&Addresses) -> std::io::Result<()>) -> Result<(), StartError> {
        let Some(workers) = &self.workers.0 else { return Ok(()) };
        workers.block_on(listening::listen(
            &self.config,
            self.app.clone(),
            self.backlog.clone(),
            self.tls.clone(),
            announce,
        ))
    }
}
