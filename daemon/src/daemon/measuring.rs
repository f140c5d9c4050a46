//! Opens what measures, and what needs its figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use humantime::format_rfc3339_seconds;
use nebula_metering::work::Work;
use nebula_metering::{FunctionId, Joules};

use super::quota_metrics;
use super::start_error::StartError;
use crate::admission::PowerCap;
use crate::calibrating::{Conduct, Experiment};
use crate::carbon::{Carbon, CarbonUpdater};
use crate::causes::chain;
use crate::config::Config;
use crate::functions::{FunctionName, Registry, Version};
use crate::knowledge::{KnowledgeFile, KnowledgeKeeper, Machine};
use crate::meter::{self, Choice, EnergyMeter, Metering, Off, Sampler, nature};
use crate::settling::Settling;
use crate::state::State;
use crate::telemetry::{
    CarbonAccount, Metrics, Observers, Stored, escaped, register_carbon, register_energy, register_no_energy,
};
use crate::usage::{EnergyRate, GRAMS};
use nebula_runtime::tls_configuration;

/// How long the daemon waits for its first windows before it listens, and how often it checks.
const FIRST_WINDOWS_MAX: Duration = Duration::from_millis(500);
const FIRST_WINDOWS_PAUSE: Duration = Duration::from_millis(5);

/// Opens the source and starts the sampler, which hands what it settles to `settling`.
pub(super) fn start(
    config: &Config,
    metrics: &Metrics,
    stored: Arc<Stored>,
    learned: Option<&KnowledgeFile>,
    settling: impl FnOnce(Arc<EnergyMeter>) -> Settling,
) -> Result<(Metering, Option<Sampler>), StartError> {
    let settings = &config.meter;
    let Some(source) = settings.source else {
        tracing::info!("energy source: none ({}), so calls have no joules", Off::Configured);
        register_no_energy(metrics, Off::Configured)?;
        return Ok((Metering::Off(Off::Configured), None));
    };
    if let Some(file) = learned.filter(|_| settings.calibrate) {
        calibrate(settings, source, file)?;
    }
    let source = meter::open_source(source, &settings.sysfs_root, &settings.procfs_root)?;
    // As many threads again run long calls.
    let meter = Arc::new(EnergyMeter::new(source, settings, 2 * config.invocation.workers));
    let source = meter.source()?;
    tracing::info!("energy source: {} ({}): {}", source.kind, nature(source.kind), source.description);
    tracing::debug!("this energy source was chosen because: {}", source.reason);
    tracing::debug!(no_events = meter.no_events(), "work of calls: {}", meter.describe_work());
    register_energy(metrics, meter.clone(), stored)?;
    if let Some(file) = learned {
        recall(file, &meter);
    }
    let clock = meter::open_clock(&settings.procfs_root, &settings.sysfs_root)?;
    tracing::debug!("CPU time of the machine: {}", clock.describe());
    let sampler = Sampler::start(meter.clone(), clock, settling(meter.clone()).into_consumer())?;
    Ok((Metering::On(meter), Some(sampler)))
}

/// The file of what was learned about this machine, if there is a directory for state and something to measure.
pub(super) fn knowledge_file(config: &Config, state: &Result<State, String>) -> Option<KnowledgeFile> {
    config.meter.source?;
    match state {
        Ok(state) => {
            let machine = Machine::read(&config.meter.sysfs_root, &config.meter.procfs_root);
            Some(KnowledgeFile::new(state.path(), machine))
        }
        Err(why) => {
            tracing::debug!("what is learned about this machine will not outlive the daemon: {why}");
            None
        }
    }
}

/// Calibrates the machine, if it is quiet and nothing is known of what `choice` reads.
fn calibrate(settings: &meter::Settings, choice: Choice, file: &KnowledgeFile) -> Result<(), StartError> {
    let source = meter::open_source(choice, &settings.sysfs_root, &settings.procfs_root)?;
    let (kind, recalled) = (source.kind(), file.recall(source.counters()));
    if !kind.is_measured() || recalled.iter().any(|known| known.knowledge.source == kind.as_str()) {
        tracing::debug!(
            "not calibrating: {}",
            if kind.is_measured() { "this machine is known" } else { "nothing is measured" }
        );
        return Ok(());
    }
    let conduct = Conduct { time: Conduct::TIME, force: false };
    tracing::info!("calibrating this machine, which takes {} s if it is quiet", conduct.time.as_secs());
    match Experiment::run(source, settings, conduct, |_| {}) {
        Ok(experiment) => {
            tracing::info!("calibrated: {} s of known work were measured", experiment.time.as_secs());
            if let Err(error) = file.store(experiment.known(&recalled)) {
                tracing::warn!("{}: calibrating was for nothing", escaped(&chain(&error)));
            }
        }
        Err(error) => tracing::warn!("not calibrated: {}", escaped(&chain(&error))),
    }
    Ok(())
}

/// Starts from what earlier daemons learned.
fn recall(file: &KnowledgeFile, meter: &EnergyMeter) {
    let known = file.recall(&meter.counters());
    for known in &known {
        let (zone, source) = (escaped(&known.knowledge.zone), escaped(&known.knowledge.source));
        let since = format_rfc3339_seconds(known.since);
        tracing::info!("starting with what was learned of {zone} by {source} since {since}");
    }
    meter.recall(known);
}

/// Takes up what was learned of the functions that are served, and stores what is learned from now on.
pub(super) fn keep_knowledge(
    file: Option<KnowledgeFile>,
    metering: &Metering,
    registry: Arc<Registry>,
) -> Result<Option<KnowledgeKeeper>, StartError> {
    let (Some(file), Ok(meter)) = (file, metering.meter()) else { return Ok(None) };
    let served: BTreeMap<String, FunctionId> =
        registry.revisions().iter().map(|(id, revision)| (named(&revision.name, revision.version), *id)).collect();
    meter.recall_functions(|name| served.get(name).copied());
    let name = move |id| registry.version(id).map(|(name, version)| named(&name, version));
    Ok(Some(KnowledgeKeeper::start(file, meter.clone(), name)?))
}

/// What is learned of a function holds for this version of it.
fn named(name: &FunctionName, version: Version) -> String {
    format!("{name} {version}")
}

/// Keeps the carbon intensity up to date, and shows grams in the metrics, if the configuration names an intensity.
pub(super) fn keep_carbon(
    config: &Config,
    carbon: &Carbon,
    metrics: &Metrics,
    metering: &Metering,
    stored: Arc<Stored>,
) -> Result<Option<CarbonUpdater>, StartError> {
    if config.carbon.source.is_none() {
        return Ok(None);
    }
    let endpoint = Carbon::endpoint(&config.carbon, tls_configuration()?)?;
    let account = |meter: &Arc<EnergyMeter>| CarbonAccount::new(carbon.clone(), meter.clone(), config.meter.policy);
    let account = metering.meter().ok().map(|meter| Arc::new(account(meter)));
    register_carbon(metrics, carbon.clone(), account.clone(), stored)?;
    let tick = move || account.iter().for_each(|account| account.advance());
    Ok(Some(CarbonUpdater::start(carbon, &config.carbon, endpoint, tick)?))
}

/// Grams and cost of a joule, at the time of asking.
pub(super) fn rates(carbon: &Carbon) -> impl Fn() -> Vec<EnergyRate> + Send + 'static {
    let carbon = carbon.clone();
    move || {
        let grams = carbon.grams_per_joule().map(|grams| (GRAMS.into(), grams));
        let cost = carbon.cost(Joules(1.0)).map(|cost| (cost.currency.as_str().into(), cost.amount));
        grams.into_iter().chain(cost).collect()
    }
}

pub(super) fn observers(config: &Config, metrics: &Metrics) -> Result<Observers, StartError> {
    let settings = &config.telemetry;
    if let Some(traces) = settings.traces() {
        tracing::debug!("traces of calls go to {}", escaped(&traces.endpoint));
    }
    Ok(Observers::start(settings, config.meter.policy, metrics)?)
}

/// The cap on the power of all functions, if there is one, shown in metrics.
pub(super) fn power_cap(config: &Config, metrics: &Metrics) -> Result<Option<Arc<PowerCap>>, StartError> {
    let Some(max) = config.quota.power_max else { return Ok(None) };
    let power = Arc::new(PowerCap::new(max, config.invocation.queue, config.invocation.queue_wait));
    quota_metrics::register_power(metrics, &power)?;
    Ok(Some(power))
}

/// Waits until estimates are possible, so that the first calls have one. Not for long: a source may have no readings.
pub(super) fn await_estimates(metering: &Metering) {
    let Ok(meter) = metering.meter() else { return };
    let work = Work::of_cpu(Duration::from_millis(1));
    let until = Instant::now() + FIRST_WINDOWS_MAX.min(meter.window() * 4);
    while meter.estimate(FunctionId(0), &work).is_err() && Instant::now() < until {
        std::thread::sleep(FIRST_WINDOWS_PAUSE);
    }
}
