//! A collector of traces: takes what OTLP over HTTP brings, and keeps it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

/// A span with what belongs to it, in a form that is easily asked.
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

/// A collector on a free port.
pub struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    /// Answers every export with this status.
    pub fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Seen>>>::default());
        let kept = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                thread::spawn(move || while take(&stream, status, &kept).is_some() {});
            }
        });
        Self { address, seen }
    }

    /// Its address, as an option names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans that have come.
    pub fn spans(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Takes one request; `None` at the end of the connection.
fn take(mut stream: &TcpStream, status: &str, seen: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        read(stream, &mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    while bytes.len() < end + length {
        read(stream, &mut bytes)?;
    }
    let export = ExportTraceServiceRequest::decode(&bytes[end..]).unwrap();
    for of_resource in export.resource_spans {
        let resource = attributes(&of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let attributes = attributes(&span.attributes);
            seen.lock().unwrap().push(Seen { span, attributes, resource: resource.clone() });
        }
    }
    stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).ok()
}

fn read(mut stream: &TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer).ok().filter(|&count| count > 0)?;
    bytes.extend_from_slice(&buffer[..count]);
    Some(())
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
