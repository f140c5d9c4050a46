//! The thread that exports spans. While the collector is slow or away, calls wait in the queue before it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prometheus::IntCounterVec;
use uuid::Uuid;

use super::super::facts::Facts;
use super::spans;
use crate::units::Policy;
use nebula_runtime::tls_configuration;

/// Spans in one request. Source: OpenTelemetry specification, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
const BATCH: usize = 512;

/// How long a span waits for others. Short, for people who look for the call that they just made.
const DELAY: Duration = Duration::from_secs(1);

/// How long the collector may take to answer. Source: OpenTelemetry specification, `OTEL_EXPORTER_OTLP_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Labels of the results of spans.
pub const EXPORTED: &str = "exported";
pub const FAILED: &str = "failed";
pub const DROPPED: &str = "dropped";

pub enum Item {
    /// A call whose facts are complete.
    Call(Arc<Facts>),
    /// The sender waits until everything before this has been sent.
    Flush(SyncSender<()>),
}

pub struct Exporter {
    endpoint: String,
    policy: Policy,
    counts: IntCounterVec,
    /// Whether the last batch was lost, so that an absent collector is logged once.
    failing: bool,
}

impl Exporter {
    pub fn new(endpoint: String, policy: Policy, counts: IntCounterVec) -> Self {
        Self { endpoint, policy, counts, failing: false }
    }

    /// Runs until nothing can be queued any more.
    pub fn run(mut self, calls: &Receiver<Item>) {
        let otlp = match self.open() {
            Ok(otlp) => otlp,
            Err(error) => return tracing::error!("cannot export traces: {error}"),
        };
        let mut batch = Vec::with_capacity(BATCH);
        let mut until: Option<Instant> = None;
        loop {
            let wait = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            let flushed = match calls.recv_timeout(wait) {
                Ok(Item::Call(facts)) => {
                    spans::of(&facts, self.policy, &mut batch);
                    until.get_or_insert_with(|| Instant::now() + DELAY);
                    if batch.len() < BATCH {
                        continue;
                    }
                    None
                }
                Ok(Item::Flush(done)) => Some(done),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.send(&otlp, &mut batch),
            };
            self.send(&otlp, &mut batch);
            until = None;
            if let Some(done) = flushed {
                let _ = done.try_send(());
            }
        }
    }

    fn open(&self) -> Result<OtlpExporter, Box<dyn std::error::Error>> {
        let tls = tls_configuration()?;
        let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).tls_backend_preconfigured(tls).build()?;
        let builder = OtlpExporter::builder().with_http().with_http_client(client);
        let mut otlp = builder.with_endpoint(&self.endpoint).with_timeout(TIMEOUT).build()?;
        otlp.set_resource(&resource());
        Ok(otlp)
    }

    fn send(&mut self, otlp: &OtlpExporter, batch: &mut Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        let sent = otlp.export(std::mem::replace(batch, Vec::with_capacity(BATCH)));
        // The client blocks, so the export is done after one poll.
        let (label, failed) = match sent.now_or_never() {
            Some(Ok(())) => (EXPORTED, None),
            Some(Err(error)) => (FAILED, Some(error.to_string())),
            None => (FAILED, Some("the client did not wait for the response".into())),
        };
        self.counts.with_label_values(&[label]).inc_by(count);
        match failed {
            Some(why) if !self.failing => {
                tracing::warn!("the collector `{}` does not take traces, which are lost: {why}", self.endpoint);
            }
            None if self.failing => tracing::info!("traces are being exported again"),
            _ => {}
        }
        self.failing = label == FAILED;
    }
}

/// The attributes of all spans. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override ours.
fn resource() -> Resource {
    let own = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ];
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some()
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let given = Resource::builder().build();
    let own = own.into_iter().filter(|attribute| given.get_ref(&attribute.key).is_none());
    let builder = Resource::builder().with_attributes(own);
    if named { builder.build() } else { builder.with_service_name("nebula").build() }
}
