//! A collector of traces, which keeps what it gets by OTLP over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use crate::stub_server::stub_server;

/// A span with its attributes and those of its resource, as JSON.
#[derive(Clone, Debug)]
pub struct Seen {
    pub span: Span,
    pub attributes: BTreeMap<String, Value>,
    pub resource: BTreeMap<String, Value>,
}

impl Seen {
    pub fn trace(&self) -> String {
        hexadecimal(&self.span.trace_id)
    }

    pub fn id(&self) -> String {
        hexadecimal(&self.span.span_id)
    }

    pub fn parent(&self) -> String {
        hexadecimal(&self.span.parent_span_id)
    }

    pub fn number(&self, name: &str) -> f64 {
        self.attributes[name].as_f64().unwrap_or_else(|| panic!("{name} of {self:?}"))
    }
}

pub struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    /// Answers every export with this status.
    pub fn start(status: &'static str) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = seen.clone();
        let address = stub_server(move |head, body| {
            assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
            kept.lock().unwrap().extend(spans(body));
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// The spans of an export.
fn spans(body: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for of_resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let resource = attributes(&of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            seen.push(Seen { attributes: attributes(&span.attributes), span, resource: resource.clone() });
        }
    }
    seen
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Value> {
    let value = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        other => panic!("nobody sends {other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), value(&pair.value))).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
