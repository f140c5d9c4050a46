//! Where requests and calls are reported to, besides metrics: the access log, traces, and the clients of /events.

use std::sync::Arc;

use nebula_metering::Settled;
use thiserror::Error;

use super::access_log::AccessLog;
use super::calls::{KnownCall, Progress};
use super::events::Events;
use super::facts::Facts;
use super::metrics::Metrics;
use super::settings::Settings;
use super::traces::Traces;
use crate::meter::{CallEnd, EnergyMeter, NoCharge};
use crate::units::Policy;

/// The observers that are configured.
pub struct Observers {
    pub access_log: Option<AccessLog>,
    pub traces: Option<Traces>,
    pub events: Events,
}

#[derive(Debug, Error)]
pub enum ObserveError {
    #[error("cannot register the metrics of observers")]
    Count(#[from] prometheus::Error),
    #[error("cannot start the access log (`log.access`)")]
    AccessLog(#[source] std::io::Error),
    #[error("cannot start the thread that exports traces")]
    Traces(#[source] std::io::Error),
}

impl Observers {
    /// Starts those that are configured. What they drop is counted in `metrics`.
    pub fn start(settings: &Settings, policy: Policy, metrics: &Metrics) -> Result<Self, ObserveError> {
        let of = metrics.instruments();
        let access_log = settings.access_log().map(|settings| {
            let dropped = of.counter(
                "nebula_access_log_lines_dropped_total",
                "Answers that are not in the access log: the queue to it was full, or it could not be written.",
            )?;
            AccessLog::start(settings, policy, dropped).map_err(ObserveError::AccessLog)
        });
        let traces = settings.traces().map(|settings| {
            let spans = of.counters(
                "nebula_trace_spans_total",
                "Spans of calls by what became of them: exported, failed (the collector did not take them) or dropped \
                 (the queue was full).",
                &["result"],
            )?;
            Traces::start(settings, policy, spans).map_err(ObserveError::Traces)
        });
        let events = Events::new(settings.events, metrics)?;
        Ok(Self { access_log: access_log.transpose()?, traces: traces.transpose()?, events })
    }

    /// Waits until everything is written and sent, but not for long.
    pub fn flush(&self) {
        if let Some(log) = &self.access_log {
            log.flush();
        }
        if let Some(traces) = &self.traces {
            traces.flush();
        }
    }

    /// Whether requests have to be recorded.
    pub fn want_records(&self) -> bool {
        self.access_log.is_some() || self.traces.is_some()
    }

    pub(super) fn log(&self, facts: &Arc<Facts>) {
        if let Some(log) = &self.access_log {
            log.write(facts);
        }
    }

    pub(super) fn trace(&self, facts: &Arc<Facts>) {
        if let Some(traces) = &self.traces {
            traces.export(facts);
        }
    }

    /// Adds the charge of a settled call to its record. Returns the call for /events, if /events has clients.
    #[must_use]
    pub fn settled(&self, settled: &Settled<CallEnd>) -> Option<KnownCall> {
        let CallEnd::Call { ended, observer, .. } = &settled.end else { return None };
        let charge = || settled.charge.clone().ok_or(NoCharge::Incomplete);
        if let Some(observer) = observer {
            observer.settle(charge());
        }
        let (call, function) = (settled.call, settled.function);
        let known = || KnownCall { call, function, progress: Progress::Settled(ended.clone(), charge()) };
        self.events.have_clients().then(known)
    }

    /// Publishes power and accounts, when they are due.
    pub fn window_closed(&self, meter: &EnergyMeter) {
        self.events.window_closed(meter);
    }
}
