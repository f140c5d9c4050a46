//! The configuration: what flags, environment and file say, made into a value that cannot be wrong.

mod access;
mod api;
mod carbon;
mod checker;
mod deploy;
mod exposure;
mod layers;
mod nearest;
mod observing;
mod options;
mod quantity;
mod quota;
mod state;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use tracing::level_filters::LevelFilter;

use checker::{Checker, one_of, within};
pub use deploy::Deploy;
pub use layers::{Layers, Origin, flag, read_file, variable};
pub use nearest::nearest;
pub use observing::Observing;
pub use options::{OPTIONS, ServeOption};
pub use quantity::{duration, energy, joules, shown_duration, shown_size, size};
pub use quota::Quotas;
pub use state::default_state;
pub use usage::Usage;

use crate::http::{AccessSettings, Expose, FormBounds, Resolution, ServerSettings};
use crate::meter::{Choice, OFF};
use crate::runtime::Limits;
use crate::telemetry::{LogFormat, LogLevel};
use crate::units::Policy;

/// Everything `nebula serve` can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to listen for those who manage it.
    pub admin: Option<SocketAddr>,
    /// Who may come in.
    pub access: AccessSettings,
    /// A directory of functions.
    pub functions: Option<PathBuf>,
    /// A file of modules, in WAGI's format.
    pub modules: Option<PathBuf>,
    /// Where to keep what outlives the daemon; `None` where nothing is said.
    pub state: Option<PathBuf>,
    /// A file of further authorities that outbound requests trust.
    pub outbound_ca: Option<PathBuf>,
    /// Where to keep compiled code, if not there.
    pub cache_dir: Option<PathBuf>,
    /// Most compiled code to keep, in bytes; 0 for none.
    pub cache: u64,
    /// Which energy source; `None` where nothing is to be measured.
    pub source: Option<Choice>,
    /// Time between two readings of it.
    pub window: Duration,
    /// What `energy_joules` means.
    pub policy: Policy,
    /// To what the joules of a call are rounded for callers.
    pub resolution: Resolution,
    /// Who is told joules.
    pub expose: Expose,
    /// Where sysfs is mounted.
    pub sysfs_root: PathBuf,
    /// Where procfs is mounted.
    pub procfs_root: PathBuf,
    /// What one call may use.
    pub limits: Limits,
    /// What callers may ask of the daemon.
    pub bounds: Bounds,
    /// What functions may use.
    pub quotas: Quotas,
    /// How functions are deployed.
    pub deploy: Deploy,
    /// How connections are treated.
    pub http: ServerSettings,
    /// After how long a running call lets others have their turn.
    pub tick: Duration,
    /// Threads that run calls.
    pub workers: usize,
    /// How much a form may ask for.
    pub form: FormBounds,
    /// Carbon and cost.
    pub carbon: crate::carbon::Settings,
    /// Bounds of the meter's queues.
    pub meter: MeterBounds,
    /// What is kept of what functions used.
    pub usage: Usage,
    /// Functions with labels of their own.
    pub labels_max: usize,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which are.
    pub log_level: LogLevel,
    /// Who else is told of requests and calls.
    pub observing: Observing,
}

/// What callers may ask of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Largest request body in bytes.
    pub body: usize,
    /// Calls at once.
    pub concurrency: u32,
    /// Calls waiting.
    pub queue: usize,
    /// How long they may wait.
    pub queue_wait: Duration,
    /// Functions.
    pub functions: usize,
    /// Versions of functions in one run.
    pub versions: usize,
    /// Largest module in bytes.
    pub module: u64,
}

/// Bounds of the meter's queues.
#[derive(Clone, Copy, Debug)]
pub struct MeterBounds {
    /// Postings of a worker within a window.
    pub postings: usize,
    /// Calls that are not settled yet.
    pub calls: usize,
    /// Settled calls that are remembered.
    pub recent: usize,
    /// Callers that wait for a settled charge at once.
    pub waiters: usize,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

impl Config {
    /// Checks every value; says all that is wrong at once.
    ///
    /// # Errors
    /// All mistakes, those found before in `mistakes` included.
    pub fn check(layers: &Layers, mistakes: Vec<String>) -> Result<Self, Mistakes> {
        let mut check = Checker { layers, mistakes };
        let short = Duration::from_millis(1)..=Duration::from_secs(60);
        let long = Duration::from_millis(1)..=Duration::from_secs(86_400);
        let listen: SocketAddr = check.parse("listen", address);
        let admin = check.optional("admin.listen", address);
        let expose = [("callers", Expose::Callers), ("operators", Expose::Operators)];
        let expose = check.parse("energy.expose", one_of(&expose));
        check.doors(listen, admin, expose);
        let access = check.access(listen, admin);
        let strangers = if access.is_local(listen) { Resolution::Full } else { Resolution::STRANGERS };
        let config = Self {
            listen,
            admin,
            access,
            functions: check.optional("functions", |text| Ok(PathBuf::from(text))),
            modules: check.optional("modules", some_path),
            state: check.optional("state", some_path),
            outbound_ca: check.optional("outbound.ca", some_path),
            cache_dir: check.optional("cache.dir", some_path),
            cache: check.size("cache.size", 0..=1 << 40) as u64,
            source: check.parse("source", source),
            window: check.duration("window", &(Duration::from_millis(10)..=Duration::from_secs(60))),
            policy: check.parse("policy", one_of(&[("active", Policy::Active), ("usage", Policy::Usage)])),
            resolution: check.optional("energy.resolution", exposure::resolution).unwrap_or(strangers),
            expose,
            sysfs_root: check.parse("sysfs-root", directory),
            procfs_root: check.parse("procfs-root", directory),
            limits: Limits {
                wall: check.duration("limits.wall", &long),
                memory: check.size("limits.memory", 64 << 10..=4 << 30),
                table_elements: check.number("limits.table", 0..=10_000_000),
                stdout: check.size("limits.stdout", 0..=1 << 30),
                stderr: check.size("limits.stderr", 0..=1 << 30),
            },
            bounds: Bounds {
                body: check.size("limits.body", 0..=1 << 30),
                concurrency: check.number("limits.concurrency", 1..=10_000),
                queue: check.number("limits.queue", 0..=1_000_000),
                queue_wait: check.duration("limits.queue-wait", &long),
                functions: check.number("limits.functions", 1..=100_000),
                versions: check.number("limits.versions", 1..=1_000_000),
                module: check.size("limits.module", 8..=1 << 30) as u64,
            },
            quotas: Quotas::check(&mut check),
            deploy: Deploy::check(&mut check),
            http: ServerSettings {
                connections: check.number("http.connections", 1..=1_000_000),
                head: check.size("http.head", 8 << 10..=1 << 20),
                header_timeout: check.duration("http.header-timeout", &long),
                body_timeout: check.duration("http.body-timeout", &long),
                write_timeout: check.duration("http.write-timeout", &long),
                streams: check.number("http.streams", 1..=10_000),
                grace: check.duration("http.grace", &(Duration::ZERO..=Duration::from_secs(86_400))),
            },
            tick: check.duration("runtime.tick", &short),
            workers: check
                .optional("runtime.workers", |text| within(text, &(1..=1024)))
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
            form: api::check(&mut check),
            carbon: carbon::check(&mut check),
            meter: MeterBounds {
                postings: check.number("meter.postings", 16..=1 << 24),
                calls: check.number("meter.calls", 16..=1 << 24),
                recent: check.number("meter.recent", 0..=1 << 20),
                waiters: check.number("meter.waiters", 0..=1 << 20),
            },
            usage: Usage::check(&mut check),
            labels_max: check.number("metrics.functions", 0..=100_000),
            log_format: check.parse("log.format", one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)])),
            log_level: check.parse("log.level", |text| match LevelFilter::from_str(text) {
                Ok(level) => Ok(LogLevel(level)),
                Err(_) => Err("it is one of error, warn, info, debug, trace, off".into()),
            }),
            observing: Observing::check(&mut check),
        };
        if check.mistakes.is_empty() { Ok(config) } else { Err(Mistakes(check.mistakes)) }
    }
}

fn source(text: &str) -> Result<Option<Choice>, String> {
    let choices = Choice::all().map(|(name, choice)| (name, Some(choice))).chain([(OFF, None)]);
    one_of(&choices.collect::<Vec<_>>())(text)
}

fn some_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it must name a directory".into()) } else { Ok(text.into()) }
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such directory".into()) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| address_hint(text))
}

fn address_hint(text: &str) -> String {
    match text.parse::<u16>() {
        Ok(port) => format!("an address goes with the port, such as 127.0.0.1:{port}"),
        Err(_) => "it must be an IP address with a port, such as 127.0.0.1:8080 or [::1]:8080".into(),
    }
}

#[cfg(test)]
mod tests;
