//! The trail of a request: its name, its place in a trace, and what is written down of it. Here it begins, before anything
//! else looks at the request, and here it ends, with the last byte of the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use hyper::Version;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, REFERER, USER_AGENT};
use hyper::http::Extensions;
use uuid::Uuid;

use crate::http::Request;
use crate::http::Response;
use crate::http::answer::body::{BrokenOff, Reply};
use crate::http::answer::headers::{REQUEST_ID, TRACEPARENT};
use crate::http::app::App;
use crate::http::call::function::Peers;
use crate::invocation::RequestContext;
use crate::telemetry::{ExportedSpan, Record, RequestFacts, RequestId};
use crate::trace_context::TraceContext;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What is left to do at the end of a request.
pub(crate) struct Ending {
    name: Option<HeaderValue>,
    watched: Option<Watched>,
}

impl App {
    /// Begins the trail of a request. Its headers say from here on what a function is to hear of it; what calls need to
    /// know is among its extensions.
    pub(crate) fn begin_record(&self, request: &mut Request, peers: Peers) -> Ending {
        let headers = request.headers();
        let given = match (headers.get(REQUEST_ID), headers.get_all(REQUEST_ID).iter().count()) {
            (Some(name), 1) => RequestId::given(name.as_bytes()),
            _ => None,
        };
        let is_named = given.is_some();
        let fresh = Uuid::now_v7();
        let name = given.unwrap_or_else(|| RequestId::made(fresh));
        let (context, span) = self.place_in_trace(headers);
        let record = self.observers.want_records().then(|| {
            let asked = asked(request, name.clone(), peers, span);
            Arc::new(Record::new(asked, self.observers.clone()))
        });
        // Visible ASCII.
        let header = HeaderValue::from_maybe_shared(name.bytes()).ok();
        let headers = request.headers_mut();
        if let Some(header) = &header {
            headers.insert(REQUEST_ID, header.clone());
        }
        put_context(headers, context.as_deref());
        let watched = record.clone().map(|record| Watched { record, status: None, bytes: 0 });
        let id = (!is_named).then_some(fresh);
        request.extensions_mut().insert(RequestContext { request: Some(name), is_named, id, trace: context, record });
        Ending { name: header, watched }
    }

    /// The place in a trace that is passed on, and the span to export with the one that it follows.
    fn place_in_trace(&self, headers: &HeaderMap) -> (Option<Arc<TraceContext>>, Option<ExportedSpan>) {
        let texts = |name| headers.get_all(name).iter().map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let parent = TraceContext::parse(texts(TRACEPARENT), texts(TRACESTATE));
        match &self.observers.traces {
            Some(traces) => {
                let (own, exported) = traces.span(parent.as_ref());
                let span = exported.then(|| (own.clone(), parent.map(|parent| parent.span)));
                (Some(Arc::new(own)), span)
            }
            None => (parent.map(Arc::new), None),
        }
    }
}

/// A function sees the place that it is to pass on, and never half of one.
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

fn asked(request: &Request, id: RequestId, peers: Peers, span: Option<ExportedSpan>) -> RequestFacts {
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

/// Takes the trail out of a request, for the call that it makes: the guest must not keep it.
pub(crate) fn take_context(extensions: &mut Extensions) -> RequestContext {
    extensions.remove().unwrap_or_default()
}

impl Ending {
    /// Puts the request's name into the answer, and watches it out.
    pub(crate) fn answer(mut self, mut response: Response) -> Response {
        if let Some(name) = self.name.take() {
            response.headers_mut().insert(REQUEST_ID, name);
        }
        let Some(mut watched) = self.watched.take() else { return response };
        watched.status = Some(response.status().as_u16());
        response.map(|reply| Reply::Watched(Box::new(Outgoing { reply, watched })))
    }
}

/// A request whose answer is not out yet. Where there never is one it is told so.
struct Watched {
    record: Arc<Record>,
    status: Option<u16>,
    bytes: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.record.respond(self.status, self.bytes);
    }
}

/// The body of an answer that is watched. In the order in which it is dropped: what a call says at its end comes first.
pub struct Outgoing {
    reply: Reply,
    watched: Watched,
}

impl Outgoing {
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let polled = Pin::new(&mut self.reply).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.watched.bytes += data.len() as u64;
        }
        polled
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_never_sees_half_a_context() {
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
