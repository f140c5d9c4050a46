//! Loads the functions, from the cache of compiled code where possible.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use super::runtime_metrics;
use super::start_error::StartError;
use crate::causes::chain;
use crate::config::Config;
use crate::functions::{self, AdmissionBounds, Deployer, History, Preparation, Registry, load_modules, read_modules};
use crate::meter::Metering;
use crate::quota::Payers;
use crate::regular_file;
use crate::telemetry::{Metrics, escaped};
use nebula_runtime::{CodeCache, Found, Pool, Runtime, set_extra_roots};

/// The cache of compiled code. A daemon without one compiles at each start, and serves all the same.
fn open_cache(config: &Config, state: Option<&Path>) -> Option<CodeCache> {
    let nowhere = |why: &str| tracing::warn!("compiled code is not kept, so each start compiles again: {why}");
    if config.functions.cache_size == 0 {
        tracing::debug!("compiled code is not kept: `cache.size` is 0");
        return None;
    }
    let Some(directory) = config.functions.cache_dir.as_deref().or(state) else {
        nowhere("no `state` directory is set");
        return None;
    };
    match CodeCache::open(directory, config.functions.cache_size) {
        Ok(cache) => {
            tracing::debug!("compiled code is kept in `{}`", escaped(&cache.directory().display().to_string()));
            Some(cache)
        }
        Err(error) => {
            nowhere(&escaped(&chain(&error)));
            None
        }
    }
}

/// Adds the certificate authorities of `outbound.ca`, for outbound requests and for the carbon endpoint.
pub(super) fn trust(config: &Config) -> Result<(), StartError> {
    let Some(path) = &config.functions.outbound_ca else { return Ok(()) };
    let shown = path.display();
    let pem = regular_file::read(path).with_context(|| format!("cannot read `{shown}` (`outbound.ca`)"))?;
    let count = set_extra_roots(&pem).with_context(|| format!("cannot use `{shown}` (`outbound.ca`)"))?;
    tracing::debug!("outbound requests also trust {count} certificate authorities of `{shown}`");
    Ok(())
}

/// Loads all functions, and returns what deploys further ones.
pub(super) fn load(
    config: &Config,
    metrics: &Arc<Metrics>,
    metering: &Metering,
) -> Result<(Arc<Registry>, Arc<Deployer>), StartError> {
    let state = config.state.as_deref();
    let pool = Pool::Slots(config.invocation.concurrency);
    let runtime = Runtime::new(config.functions.limits(), pool, config.functions.tick)?;
    let mut runtime = runtime.with_compiler(config.functions.compiler());
    if let Some(max) = config.functions.files_in_all {
        runtime = runtime.with_files_max(max);
    }
    if let Some(cache) = open_cache(config, state) {
        runtime = runtime.with_cache(cache);
    }
    runtime_metrics::register_runtime(metrics, &runtime)?;
    let registry = Arc::new(Registry::new(config.functions.versions_max));
    let calls = AdmissionBounds {
        concurrency: config.invocation.concurrency,
        queue: (config.invocation.queue, config.invocation.queue_wait),
        quota: config.quota.each(),
    };
    let preparation = Preparation {
        settings: config.functions.clone(),
        calls,
        runtime,
        metrics: metrics.clone(),
        metering: metering.clone(),
        registry: registry.clone(),
        payers: Payers::default(),
    };
    let started = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let progress = |done: usize, all: usize| {
        if terminal {
            // The line overwrites itself.
            let end = if done == all { "\r\x1b[K" } else { "" };
            let _ = write!(std::io::stderr(), "\rloading functions: {done} of {all}{end}");
        }
    };
    // A directory that the user named must exist; the one in the state directory is created by the first deployment.
    let in_state = state.map(|state| state.join("functions"));
    let read = config.functions.directory.clone().or_else(|| in_state.clone().filter(|directory| directory.exists()));
    let files = functions::load(read.as_deref(), &preparation, &progress)?;
    if let Some(file) = &config.functions.modules {
        load_modules(file, read_modules(file).map_err(StartError::configuration)?, &preparation)?;
    }
    let all = registry.all();
    let cached = all.iter().filter(|function| function.program.found() == Found::Cached).count();
    let (all, compiled) = (all.len(), all.len() - cached);
    tracing::debug!("{all} functions in {:.0?}: {compiled} compiled, {cached} from the cache", started.elapsed());
    let directory = config.functions.directory.clone().or(in_state);
    let history = state.map(|state| History::new(state.join("versions"), config.functions.deploy.keep));
    let deployer = Deployer::new(Arc::new(preparation), directory, history, files);
    Ok((registry, Arc::new(deployer)))
}
