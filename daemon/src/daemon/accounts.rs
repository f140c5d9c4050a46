//! Opens the state directory, the stored accounts and the usage log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::start_error::StartError;
use crate::causes::chain;
use crate::config::Config;
use crate::functions::Registry;
use crate::meter::Metering;
use crate::state::{State, StateError};
use crate::telemetry::{Metrics, Stored, escaped};
use crate::usage::{
    Bounds, EnergyRate, FILE, FlushStatus, Flusher, FlusherSettings, LOGGING, LogHandle, Reading, STORING, Store,
    StoreError, UsageLog,
};

/// Where accounts are stored, and what earlier daemons stored.
pub struct Accounts {
    /// The file, or why there is none.
    pub file: Result<PathBuf, String>,
    /// What earlier daemons counted.
    pub stored: Arc<Stored>,
    store: Option<Store>,
}

/// Locks the state directory, so that no other daemon uses it.
pub fn hold(directory: Option<&Path>) -> Result<Result<State, String>, StartError> {
    let Some(directory) = directory else {
        return Ok(Err("no `state` directory is set".into()));
    };
    match State::hold(directory) {
        Ok(state) => Ok(Ok(state)),
        Err(held @ StateError::Held { .. }) => Err(held.into()),
        Err(error) => Ok(Err(escaped(&chain(&error)))),
    }
}

impl Accounts {
    /// Opens the accounts in `state`. A daemon that cannot store them serves all the same.
    ///
    /// # Errors
    /// If a newer version of the program wrote them: this one could damage them.
    pub fn open(config: &Config, state: &Result<State, String>) -> Result<Self, StartError> {
        let nowhere = |why: String| Self { file: Err(why), stored: Arc::default(), store: None };
        if config.usage.keep.is_zero() {
            tracing::debug!("accounts are not stored: `usage.keep` is 0");
            return Ok(nowhere("`usage.keep` is 0".into()));
        }
        let state = match state {
            Ok(state) => state,
            Err(why) => {
                tracing::warn!("accounts are not stored and will be lost when the daemon stops: {why}");
                return Ok(nowhere(why.clone()));
            }
        };
        let file = state.path().join(FILE);
        match Store::open(&file).and_then(|store| Ok((store.stored()?, store))) {
            Ok((stored, store)) => {
                tracing::debug!("accounts are stored in `{}`", escaped(&file.display().to_string()));
                Ok(Self { file: Ok(file), stored: Arc::new(stored), store: Some(store) })
            }
            Err(newer @ StoreError::Newer { .. }) => Err(newer.into()),
            Err(error) => {
                let why = escaped(&chain(&error));
                let shown = escaped(&file.display().to_string());
                tracing::warn!("cannot store accounts in `{shown}`: {why}; trying again at each flush");
                Ok(Self { file: Ok(file), stored: Arc::default(), store: None })
            }
        }
    }

    /// Starts to store accounts, and shows in `metrics` how that goes.
    pub fn keep(
        self,
        config: &Config,
        (metering, registry, metrics): (Metering, Arc<Registry>, &Metrics),
        log: Option<&UsageLog>,
        rates: impl Fn() -> Vec<EnergyRate> + Send + 'static,
    ) -> Result<Option<Flusher>, StartError> {
        metrics.continue_from(&self.stored);
        if let Some(log) = log {
            let counts = log.counts();
            metrics.register_table(LOGGING, move || counts.clone())?;
        }
        let Ok(file) = self.file else { return Ok(None) };
        let status = Arc::new(FlushStatus::default());
        let shown = status.clone();
        metrics.register_table(STORING, move || shown.clone())?;
        let hours = config.usage.keep.as_secs() / 3600;
        let settings =
            FlusherSettings { file, flush: config.usage.flush, bounds: Bounds { hours, rows: config.usage.rows } };
        let read = move || Reading::take(&metering, &registry);
        Ok(Some(Flusher::start(settings, self.store, status, read, rates)?))
    }
}

/// Opens the usage log, if the configuration names one.
///
/// # Errors
/// If it cannot be written: a log to bill by must be complete.
pub fn open_log(config: &Config) -> Result<Option<(UsageLog, LogHandle)>, StartError> {
    let Some(settings) = config.usage.log() else { return Ok(None) };
    if config.meter.source.is_none() {
        tracing::warn!(
            "the usage log will stay empty: nothing is measured (`source` is `off`), so no call is ever settled"
        );
    }
    Ok(Some(UsageLog::start(settings)?))
}
