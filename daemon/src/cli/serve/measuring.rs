//! What is measured, and who is told of it: the source, its windows, what they settle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nebula_metering::work::Work;
use nebula_metering::{FunctionId, Joules};

use super::accounts::Accounts;
use super::quota_metrics;
use crate::carbon::{Carbon, Keeper};
use crate::cli::Failure;
use crate::config::Config;
use crate::invocation::PowerCap;
use crate::meter::{self, Choice, EnergyMeter, Metering};
use crate::telemetry::{
    self, AccessSettings, CarbonAccount, Metrics, Observers, TraceSettings, escaped, register_carbon, register_energy,
};
use crate::usage::{Rates, Tariff};
use nebula_runtime::tls_configuration;

/// How long the daemon waits for its first windows before it listens, and how often it looks for them.
const FIRST_WINDOWS_MAX: Duration = Duration::from_millis(500);
const FIRST_WINDOWS_PAUSE: Duration = Duration::from_millis(5);

/// The meter of this daemon, shown in its metrics.
pub(super) fn open_meter(
    config: &Config,
    source: Choice,
    metrics: &Metrics,
    accounts: &Accounts,
) -> Result<Arc<EnergyMeter>, Failure> {
    let opened = meter::open_source(source, &config.meter.sysfs_root, &config.meter.procfs_root)?;
    // As many threads again run long calls.
    let meter = Arc::new(EnergyMeter::new(opened, &config.meter, 2 * config.invocation.workers));
    let source = meter.source();
    tracing::info!(reason = source.reason, "energy source: {}", source.description);
    tracing::info!(no_events = meter.no_events(), "work of calls: {}", meter.describe_work());
    register_energy(metrics, meter.clone(), accounts.stored.clone())?;
    Ok(meter)
}

/// Keeps the carbon intensity up to date, and shows in the metrics what comes with settled energy. Nothing is to be done
/// where nothing is said about carbon.
pub(super) fn keep_carbon(
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
    let account = |meter: &Arc<EnergyMeter>| CarbonAccount::new(carbon.clone(), meter.clone(), config.meter.policy);
    let account = metering.meter().ok().map(|meter| Arc::new(account(meter)));
    register_carbon(metrics, carbon.clone(), account.clone(), accounts.stored.clone())?;
    let tick = move || account.iter().for_each(|account| account.advance());
    Ok(Some(Keeper::start(carbon, &config.carbon, endpoint, tick)?))
}

/// What a joule comes to whenever somebody asks.
pub(super) fn rates(carbon: &Carbon) -> impl Fn() -> Rates + Send + 'static {
    let carbon = carbon.clone();
    move || Rates {
        grams_per_joule: carbon.grams_per_joule(),
        tariff: carbon
            .cost(Joules(1.0))
            .map(|cost| Tariff { per_joule: cost.amount, currency: cost.currency.as_str().into() }),
    }
}

/// Those who are told of requests and calls.
pub(super) fn observers(config: &Config, metrics: &Metrics) -> Result<Observers, Failure> {
    let telemetry::Settings { traces, ratio, trace_queue, access, access_format, events, .. } =
        config.telemetry.clone();
    let policy = config.meter.policy;
    let access = access.map(|target| AccessSettings { target, format: access_format, policy });
    if let Some(endpoint) = &traces {
        tracing::info!("traces of calls go to {}", escaped(endpoint));
    }
    let traces = traces.map(|endpoint| TraceSettings { endpoint, ratio, queue: trace_queue, policy });
    Ok(Observers::start(access, traces, events, metrics)?)
}

/// The cap on the power of all functions, shown in metrics.
pub(super) fn power_cap(config: &Config, metrics: &Metrics) -> Result<Option<Arc<PowerCap>>, Failure> {
    let Some(max) = config.quota.power_max else { return Ok(None) };
    let power = Arc::new(PowerCap::new(max, config.invocation.queue, config.invocation.queue_wait));
    quota_metrics::register_power(metrics, &power)?;
    Ok(Some(power))
}

/// Waits until calls can be told what they cost, so that the first ones are. Not for long: a source may have nothing to say.
pub(super) fn await_estimates(metering: &Metering) {
    let Ok(meter) = metering.meter() else { return };
    let work = Work::of_cpu(Duration::from_millis(1));
    let until = Instant::now() + FIRST_WINDOWS_MAX.min(meter.window() * 4);
    while meter.estimate(FunctionId(0), &work).is_err() && Instant::now() < until {
        std::thread::sleep(FIRST_WINDOWS_PAUSE);
    }
}
