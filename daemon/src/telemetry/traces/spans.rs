//! A call as spans: one for its request, and below it one each for waiting, startup and execution.
//!
//! Source: OpenTelemetry semantic conventions, "FaaS spans" and "HTTP server spans".

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, StringValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

use super::super::facts::{CallFacts, CallTimes, EndFacts, Facts, RequestFacts};
use crate::outcome::Outcome;
use crate::trace_context::TraceContext;
use crate::units::Policy;

/// Methods that a span shows as they are; others could be anything.
///
/// Source: OpenTelemetry semantic conventions, `http.request.method`.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// How many spans a call makes.
pub fn count(facts: &Facts) -> u64 {
    if facts.end.get().is_some_and(|end| end.times.is_some()) { 4 } else { 1 }
}

/// Appends the spans of a call to `spans`.
pub fn of(facts: &Facts, policy: Policy, spans: &mut Vec<SpanData>) {
    let request = &facts.request;
    let (Some(call), Some((context, parent))) = (facts.call.get(), &request.span) else { return };
    let end = facts.end.get();
    let response = facts.response.get();
    let answer_end = response.map_or(request.at, |response| request.at + response.duration);
    let mut span = blank(context, call.function.to_string().into(), SpanKind::Server);
    span.parent_span_id = SpanId::from(parent.unwrap_or_default());
    span.parent_span_is_remote = parent.is_some();
    span.start_time = request.at;
    span.end_time = end.map_or(answer_end, |end| answer_end.max(end.ended.at));
    span.attributes = request_attributes(request, call);
    let status = response.and_then(|response| response.status);
    span.attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
    let outcome = end.map(|end| end.ended.outcome);
    span.attributes.extend(outcome.map(|outcome| KeyValue::new("nebula.outcome", outcome.as_str())));
    if let Some(error) = error(status, outcome) {
        span.attributes.push(KeyValue::new("error.type", error.clone()));
        span.status = Status::error(error);
    }
    if let Some(end) = end {
        span.attributes.extend(end_attributes(end));
        span.attributes.extend(energy_attributes(facts, policy));
    }
    spans.push(span);
    if let Some((end, times)) = end.and_then(|end| Some((end, end.times?))) {
        spans.extend(phases(context, end, &times));
    }
}

fn blank(context: &TraceContext, name: Cow<'static, str>, span_kind: SpanKind) -> SpanData {
    // It was formatted from such a state.
    let state: TraceState = context.state.as_deref().and_then(|state| state.parse().ok()).unwrap_or_default();
    let flags = if context.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanData {
        span_context: SpanContext::new(TraceId::from(context.trace), SpanId::from(context.span), flags, false, state),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind,
        name,
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("nebula").with_version(env!("CARGO_PKG_VERSION")).build(),
    }
}

/// What is known before the call begins. The query is left out, since it may be the input.
fn request_attributes(request: &RequestFacts, call: &CallFacts) -> Vec<KeyValue> {
    let (method, original) = match METHODS.iter().find(|&&method| method == &*request.method) {
        Some(&method) => (method, None),
        None => ("_OTHER", Some(request.method.to_string())),
    };
    let path = request.target.split('?').next().unwrap_or_default();
    let mut attributes = vec![
        KeyValue::new("faas.trigger", "http"),
        KeyValue::new("faas.name", call.function.to_string()),
        KeyValue::new("faas.invocation_id", call.id.to_string()),
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.path", path.to_owned()),
        KeyValue::new("url.scheme", request.scheme),
        KeyValue::new("network.protocol.version", request.version),
        KeyValue::new("client.address", request.remote.ip().to_canonical().to_string()),
        KeyValue::new("server.address", request.local.ip().to_canonical().to_string()),
        KeyValue::new("server.port", i64::from(request.local.port())),
        KeyValue::new("nebula.request_id", request.id.as_str().to_owned()),
    ];
    let text = |name: &'static str, text: &str| KeyValue::new(name, StringValue::from(text.to_owned()));
    attributes.extend(original.map(|method| KeyValue::new("http.request.method_original", method)));
    attributes.push(text("faas.version", &call.version));
    attributes.extend(request.user_agent.as_deref().map(|agent| text("user_agent.original", agent)));
    attributes
}

/// What went wrong, if it is the server's fault; a caller's mistake is no error. Source: the conventions on HTTP spans, "Status".
fn error(status: Option<u16>, outcome: Option<Outcome>) -> Option<String> {
    let of_call = outcome.filter(|outcome| !matches!(outcome, Outcome::Ok | Outcome::Error)).map(Outcome::as_str);
    match (of_call, status) {
        (Some(outcome), _) => Some(outcome.to_owned()),
        (None, Some(status)) if status >= 500 => Some(status.to_string()),
        _ => None,
    }
}

fn end_attributes(end: &EndFacts) -> impl Iterator<Item = KeyValue> {
    let cold = end.times.map(|times| KeyValue::new("faas.coldstart", times.cold_start));
    let cpu = end.times.and_then(|times| times.cpu).map(|cpu| KeyValue::new("nebula.cpu.seconds", cpu.as_secs_f64()));
    cold.into_iter().chain(cpu)
}

fn energy_attributes(facts: &Facts, policy: Policy) -> Vec<KeyValue> {
    match facts.energy(policy) {
        Ok(energy) => {
            let mut attributes = vec![
                KeyValue::new("nebula.energy.state", energy.state),
                KeyValue::new("nebula.energy.source", energy.source),
                KeyValue::new("nebula.energy.policy", policy.as_str()),
                KeyValue::new("nebula.energy.joules", energy.joules),
                KeyValue::new("nebula.energy.active_joules", energy.active),
                KeyValue::new("nebula.energy.uncertainty_joules", energy.uncertainty),
            ];
            attributes.extend(energy.base.map(|base| KeyValue::new("nebula.energy.base_joules", base)));
            attributes
        }
        Err(why) => {
            vec![KeyValue::new("nebula.energy.state", "unknown"), KeyValue::new("nebula.energy.reason", why)]
        }
    }
}

/// Waiting for admission, making the instance, and running it.
fn phases(context: &TraceContext, end: &EndFacts, times: &CallTimes) -> [SpanData; 3] {
    let ids = RandomIdGenerator::default();
    let admitted = back(end.ended.at, end.ended.duration);
    let begun = admitted + times.startup;
    [
        ("queue", back(admitted, times.queued), admitted),
        ("startup", admitted, begun),
        ("execution", begun, begun + times.execution),
    ]
    .map(|(name, start_time, end_time)| {
        let own = context.child(u64::from_be_bytes(ids.new_span_id().to_bytes()));
        let parent_span_id = SpanId::from(context.span);
        SpanData { parent_span_id, start_time, end_time, ..blank(&own, name.into(), SpanKind::Internal) }
    })
}

fn back(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}
