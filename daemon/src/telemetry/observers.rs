//! Who else is told of requests and calls: an access log, a collector of traces, and those who listen to events.

use std::sync::Arc;

use nebula_metering::Settled;
use thiserror::Error;

use super::access_log::{AccessLog, AccessLogSettings};
use super::calls::{KnownCall, Progress};
use super::events::{EventBounds, EventMetrics, Events};
use super::facts::Facts;
use super::metrics::Metrics;
use super::traces::{TraceSettings, Traces};
use crate::meter::{CallEnd, EnergyMeter, NoCharge};

/// All of them, as far as there are such.
#[derive(Debug)]
pub struct Observers {
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
    /// Where calls are traced.
    pub traces: Option<Traces>,
    /// Who listens.
    pub events: Events,
}

/// Somebody who was to be told cannot be.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// A metric cannot be shown.
    #[error("cannot count what is told to observers")]
    Count(#[from] prometheus::Error),
    /// The file cannot be opened, or no thread started.
    #[error("cannot begin the access log (`log.access`)")]
    AccessLog(#[source] std::io::Error),
    /// No thread can be started.
    #[error("cannot start the thread that exports traces")]
    Traces(#[source] std::io::Error),
}

impl Observers {
    /// Those that are asked for. What they lose is among the metrics.
    ///
    /// # Errors
    /// When one of them cannot be told.
    pub fn start(
        access_log: Option<AccessLogSettings>,
        traces: Option<TraceSettings>,
        events: EventBounds,
        metrics: &Metrics,
    ) -> Result<Self, ObserveError> {
        let of = metrics.instruments();
        let clients = of.gauge("nebula_event_clients", "Clients that listen to /events.")?;
        let dropped = of.counter(
            "nebula_event_clients_dropped_total",
            "Clients of /events that were dropped, since they read more slowly than events came.",
        )?;
        let access_log = access_log.map(|settings| {
            let dropped = of.counter(
                "nebula_access_log_lines_dropped_total",
                "Answers that are not in the access log: the queue to it was full, or it could not be written.",
            )?;
            AccessLog::start(settings, dropped).map_err(ObserveError::AccessLog)
        });
        let traces = traces.map(|settings| {
            let spans = of.counters(
                "nebula_trace_spans_total",
                "Spans of calls by what became of them: exported, failed (the collector did not take them) or dropped \
                 (the queue was full).",
                &["result"],
            )?;
            Traces::start(settings, spans).map_err(ObserveError::Traces)
        });
        let events = Events::new(events, EventMetrics { clients, dropped });
        Ok(Self { access_log: access_log.transpose()?, traces: traces.transpose()?, events })
    }

    /// Waits until all that was told is written down and sent, but not for long.
    pub fn flush(&self) {
        if let Some(log) = &self.access_log {
            log.flush();
        }
        if let Some(traces) = &self.traces {
            traces.flush();
        }
    }

    /// Whether anybody wants a record of a request.
    #[must_use]
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

    /// Takes in that a call was settled. What is to be told of it when everybody else may know, if somebody listens.
    #[must_use]
    pub fn settled(&self, settled: &Settled<CallEnd>) -> Option<KnownCall> {
        let CallEnd::Call { ended, witness, .. } = &settled.end else { return None };
        let charge = || settled.charge.clone().ok_or(NoCharge::Incomplete);
        if let Some(witness) = witness {
            witness.settle(charge());
        }
        let (call, function) = (settled.call, settled.function);
        let known = || KnownCall { call, function, progress: Progress::Settled(ended.clone(), charge()) };
        self.events.are_heard().then(known)
    }

    /// Takes in that a window was closed.
    pub fn window_closed(&self, meter: &EnergyMeter) {
        self.events.window_closed(meter);
    }
}
