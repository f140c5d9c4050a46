//! A request's id, its place in a trace, and its record for the access log and traces. It begins before anything else looks
//! at the request, and ends with the last byte of the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use hyper::Version;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, REFERER, USER_AGENT};
use uuid::Uuid;

use crate::http::answer::body::{BoxError, Reply, streamed};
use crate::http::answer::headers::{REQUEST_ID, TRACEPARENT};
use crate::http::request::Peers;
use crate::http::{Request, Response};
use crate::invocation::RequestContext;
use crate::telemetry::{ExportedSpan, Observers, Record, RequestFacts, RequestId};
use crate::trace_context::TraceContext;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A request that has not been answered yet.
pub struct OpenRequest {
    request_id: Option<HeaderValue>,
    record: Option<Unanswered>,
}

/// Gives a request its id and its place in a trace. Afterwards its headers hold what functions see of both, and its extensions
/// what calls need.
pub fn begin(observers: &Arc<Observers>, request: &mut Request, peers: Peers) -> OpenRequest {
    let headers = request.headers();
    let given = match (headers.get(REQUEST_ID), headers.get_all(REQUEST_ID).iter().count()) {
        (Some(name), 1) => RequestId::given(name.as_bytes()),
        _ => None,
    };
    let is_named = given.is_some();
    let fresh = Uuid::now_v7();
    let name = given.unwrap_or_else(|| RequestId::made(fresh));
    let (trace, span) = place_in_trace(observers, headers);
    let record = observers.want_records().then(|| {
        let facts = facts(request, name.clone(), peers, span);
        Arc::new(Record::new(facts, observers.clone()))
    });
    // Request ids are visible ASCII.
    let request_id = HeaderValue::from_maybe_shared(name.bytes()).ok();
    let headers = request.headers_mut();
    if let Some(request_id) = &request_id {
        headers.insert(REQUEST_ID, request_id.clone());
    }
    put_context(headers, trace.as_deref());
    let unanswered = record.clone().map(|record| Unanswered { record, status: None, bytes: 0 });
    let id = (!is_named).then_some(fresh);
    request.extensions_mut().insert(RequestContext { request: Some(name), is_named, id, trace, record });
    OpenRequest { request_id, record: unanswered }
}

/// The trace context to pass on, and the span to export with its parent.
fn place_in_trace(observers: &Observers, headers: &HeaderMap) -> (Option<Arc<TraceContext>>, Option<ExportedSpan>) {
    let texts = |name| headers.get_all(name).iter().map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let parent = TraceContext::parse(texts(TRACEPARENT), texts(TRACESTATE));
    match &observers.traces {
        Some(traces) => {
            let (own, exported) = traces.span(parent.as_ref());
            let span = exported.then(|| (own.clone(), parent.map(|parent| parent.span)));
            (Some(Arc::new(own)), span)
        }
        None => (parent.map(Arc::new), None),
    }
}

/// A function sees the trace context that it is to pass on, or none.
fn put_context(headers: &mut HeaderMap, context: Option<&TraceContext>) {
    let state = context.and_then(|context| context.state.as_deref());
    let values = [(TRACEPARENT, context.map(ToString::to_string)), (TRACESTATE, state.map(str::to_owned))];
    for (name, value) in values {
        match value.and_then(|value| HeaderValue::try_from(value).ok()) {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    }
}

fn facts(request: &Request, id: RequestId, peers: Peers, span: Option<ExportedSpan>) -> RequestFacts {
    let text = |name| {
        let value = request.headers().get(name).map(HeaderValue::as_bytes);
        value.map(|value| String::from_utf8_lossy(value).into())
    };
    let target = request.uri().path_and_query().map_or_else(|| request.uri().to_string(), ToString::to_string);
    RequestFacts {
        id,
        at: SystemTime::now(),
        since: Instant::now(),
        remote: peers.remote,
        local: peers.local,
        method: request.method().as_str().into(),
        target: target.into(),
        scheme: if peers.https { "https" } else { "http" },
        version: match request.version() {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        },
        referer: text(REFERER),
        user_agent: text(USER_AGENT),
        span,
    }
}

impl OpenRequest {
    /// Puts the request's id into the answer, and records when its last byte is out.
    pub fn answer(self, mut response: Response) -> Response {
        if let Some(request_id) = self.request_id {
            response.headers_mut().insert(REQUEST_ID, request_id);
        }
        let Some(mut record) = self.record else { return response };
        record.status = Some(response.status().as_u16());
        response.map(|reply| streamed(Recorded { reply, record }))
    }
}

/// Notes in the record how the request was answered, or that it never was.
struct Unanswered {
    record: Arc<Record>,
    status: Option<u16>,
    bytes: u64,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.record.respond(self.status, self.bytes);
    }
}

/// The body of an answer that is recorded. The reply is dropped first, so that the end of its call is recorded before.
struct Recorded {
    reply: Reply,
    record: Unanswered,
}

impl Body for Recorded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.reply).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.record.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_and_tracestate_are_replaced_together() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static("nonsense"));
        headers.append(TRACEPARENT, HeaderValue::from_static("twice"));
        headers.insert(TRACESTATE, HeaderValue::from_static("a=1"));
        let context = TraceContext::root(1, 2, true);
        put_context(&mut headers, Some(&context));
        assert_eq!(headers.get_all(TRACEPARENT).iter().collect::<Vec<_>>(), [&context.to_string()]);
        assert!(!headers.contains_key(TRACESTATE));
        put_context(&mut headers, None);
        assert!(headers.is_empty());
    }
}
