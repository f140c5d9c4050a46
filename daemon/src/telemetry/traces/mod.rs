//! Traces of calls, for a collector that speaks OTLP. A call leaves its facts in a bounded queue; a thread of its own turns
//! them into spans and sends them. No call waits for the collector: if the queue is full, its spans are dropped and counted.

mod export;
mod sampling;
mod spans;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use prometheus::IntCounterVec;

use super::facts::Facts;
use crate::trace_context::TraceContext;
use crate::units::Policy;
use export::{Exporter, Item};
pub use sampling::Ratio;

/// How long the last spans may take when the daemon ends: an absent collector must not hold it up.
const FLUSH_MAX: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The whole URL.
    pub endpoint: String,
    /// The part of the traces that begin here which is recorded.
    pub ratio: Ratio,
    /// Most calls that wait to be exported.
    pub queue: usize,
}

pub struct Traces {
    queue: SyncSender<Item>,
    ids: RandomIdGenerator,
    ratio: Ratio,
    spans: IntCounterVec,
}

impl Traces {
    /// Starts the thread that exports. `spans` counts spans by result.
    pub fn start(settings: TraceSettings, policy: Policy, spans: IntCounterVec) -> io::Result<Self> {
        let (queue, calls) = sync_channel(settings.queue);
        for result in [export::EXPORTED, export::FAILED, export::DROPPED] {
            spans.with_label_values(&[result]);
        }
        let exporter = Exporter::new(settings.endpoint, policy, spans.clone());
        let ratio = settings.ratio;
        thread::Builder::new().name("traces".into()).spawn(move || exporter.run(&calls))?;
        Ok(Self { queue, ids: RandomIdGenerator::default(), ratio, spans })
    }

    /// The span of a request that follows `parent`, and whether it is to be exported. If it is not, the parent is passed on
    /// unchanged: a span of ours that no collector ever sees would break the caller's trace.
    pub fn span(&self, parent: Option<&TraceContext>) -> (TraceContext, bool) {
        match parent {
            Some(parent) if parent.is_sampled() => (parent.child(self.new_span()), true),
            Some(parent) => (parent.clone(), false),
            None => {
                let trace = u128::from_be_bytes(self.ids.new_trace_id().to_bytes());
                let sampled = self.ratio.takes(trace);
                (TraceContext::root(trace, self.new_span(), sampled), sampled)
            }
        }
    }

    fn new_span(&self) -> u64 {
        u64::from_be_bytes(self.ids.new_span_id().to_bytes())
    }

    /// Queues a call whose facts are complete.
    pub(super) fn export(&self, facts: &Arc<Facts>) {
        if facts.call.get().is_none() || facts.request.span.is_none() {
            return;
        }
        if self.queue.try_send(Item::Call(facts.clone())).is_err() {
            self.spans.with_label_values(&[export::DROPPED]).inc_by(spans::count(facts));
        }
    }

    /// Waits until everything in the queue is sent, but at most [`FLUSH_MAX`].
    pub fn flush(&self) {
        let (done, end) = sync_channel(1);
        let until = Instant::now() + FLUSH_MAX;
        let mut item = Item::Flush(done);
        while let Err(TrySendError::Full(refused)) = self.queue.try_send(item) {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(Duration::from_millis(10));
            item = refused;
        }
        let _ = end.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}
