//! Functions that speak HTTP: they get the request and answer it themselves.

use std::collections::VecDeque;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::header::{EXPECT, HOST, HeaderValue, TRAILER};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri};
use nebula_runtime::{Answer, Ending, Exchange, HttpError, Input, WasiBody};
use tokio::sync::oneshot;

use super::conversation::{BUFFER_MAX, CallState, PartialAnswer, Written, run_call};
use super::plain::plain_answer;
use super::streamed::Streamed;
use super::{Context, Mount, log, take_context};
use crate::http::answer::body::{BoxError, streamed, whole, with_trailers};
use crate::http::answer::headers::{INVOCATION_ID, TRAILERS};
use crate::http::answer::problem::Problem;
use crate::http::request::body;
use crate::http::sending::outgoing::Outgoing;
use crate::http::{Request, Response};
use crate::invocation::{self, Call, Finished};

impl Context<'_> {
    /// Passes the request to the function and its answer to the client: whole if the call ends soon, or as it is written.
    pub async fn converse(&self, request: Request, mount: Mount<'_>) -> Result<Response, Problem> {
        let (mut head, body) = request.into_parts();
        let context = take_context(&mut head.extensions);
        let slash = if mount.rest.starts_with('/') { "" } else { "/" };
        let path = match head.uri.query() {
            Some(query) => format!("{slash}{}?{query}", mount.rest),
            None => format!("{slash}{}", mount.rest),
        };
        let bytes_max = self.caller.bodies.bytes_max;
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Problem::BodyTooLarge { bytes_max, limit: "limits.body" });
        }
        let broken = |error: BoxError| HttpError::InternalError(Some(error.to_string()));
        let body = if head.headers.contains_key(EXPECT) {
            Limited::new(body::started(body).await, bytes_max).map_err(broken).boxed_unsync()
        } else {
            Limited::new(body, bytes_max).map_err(broken).boxed_unsync()
        };
        // Nobody reads the body of an answer to HEAD. Streamed, the call would be cancelled for it.
        let buffer_max = if head.method == Method::HEAD { usize::MAX } else { BUFFER_MAX };
        let (input, answer) = self.exchange(head, &path, body)?;
        let call = self.start(invocation::Request { input, context, ..Default::default() }).await?;
        match run_call(call, answer, buffer_max).await {
            CallState::Ended(finished, Some(written))
                if finished.completion.status().is_some() || written.body().is_whole() =>
            {
                log(self.function, &finished);
                Ok(self.whole(&finished, written))
            }
            CallState::Ended(mut finished, _) => {
                log(self.function, &finished);
                let cost = self.cost(&mut finished).await;
                Ok(plain_answer(self.function, &finished, cost))
            }
            CallState::Writing(call, written) => Ok(self.streamed(call, written)),
        }
    }

    /// Calls the function with a request for `/` that has the input as its body, and captures the body of its answer.
    pub async fn capture_exchange(
        &self,
        mut head: Parts,
        query: &[(String, String)],
        input: Bytes,
        settle: bool,
    ) -> Result<Finished, Problem> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let path = if query.is_empty() { "/".into() } else { format!("/?{query}") };
        let body = Full::new(input).map_err(|never| match never {}).boxed_unsync();
        let context = take_context(&mut head.extensions);
        let (input, answer) = self.exchange(head, &path, body)?;
        let call = self.start(invocation::Request { input, settle, context, ..Default::default() }).await?;
        match run_call(call, answer, usize::MAX).await {
            CallState::Ended(mut finished, written) => {
                let ready = written.map(|written| written.into_body().ready).unwrap_or_default();
                finished.completion.output = Vec::from(ready).concat();
                log(self.function, &finished);
                Ok(*finished)
            }
            // Without a bound it never stops before the end.
            CallState::Writing(..) => Err(Problem::Guest(Ending::NoAnswer)),
        }
    }

    /// The request as the function sees it, with `path` for its path and query, and where the answer arrives.
    fn exchange(
        &self,
        mut head: Parts,
        path: &str,
        body: WasiBody,
    ) -> Result<(Input, oneshot::Receiver<Answer>), Problem> {
        // A client of HTTP/1.0 need not name a host, but a function expects one.
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or(head.uri.host()).unwrap_or("localhost");
        let scheme = if self.visitor.https { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        head.uri = uri.map_err(|error| Problem::BadRequest(format!("the request's target is invalid: {error}")))?;
        let (answer, answered) = oneshot::channel();
        Ok((Input::Http(Box::new(Exchange { request: hyper::Request::from_parts(head, body), answer })), answered))
    }

    /// An answer that was complete when its call ended.
    fn whole(&self, finished: &Finished, written: PartialAnswer) -> Response {
        let mut response = written.map(|Written { ready, trailers, .. }| match trailers {
            Some(trailers) => with_trailers(together(ready), trailers),
            None => whole(together(ready)),
        });
        self.caller.costs.add_to(response.headers_mut(), finished, self.visitor.exposure);
        response
    }

    /// An answer that the function is still writing. The cost follows as trailers.
    fn streamed(&self, call: Call, written: PartialAnswer) -> Response {
        let id = HeaderValue::try_from(call.id.to_string());
        let (caller, function, exposure) = (self.caller.clone(), self.function.clone(), self.visitor.exposure);
        let at_end = move |finished: &Finished| {
            log(&function, finished);
            let mut trailers = HeaderMap::new();
            caller.costs.add_to(&mut trailers, finished, exposure);
            trailers
        };
        let outgoing = Outgoing::here();
        let counted = outgoing.clone();
        let mut response = written.map(|written| streamed(Streamed::start(call, written, outgoing, at_end)));
        if let Some(counted) = counted {
            response.extensions_mut().insert(counted);
        }
        response.headers_mut().append(TRAILER, TRAILERS.clone());
        if let Ok(id) = id {
            response.headers_mut().insert(INVOCATION_ID, id);
        }
        response
    }
}

/// The pieces as one; a single piece is not copied.
fn together(mut pieces: VecDeque<Bytes>) -> Bytes {
    match pieces.len() {
        0 | 1 => pieces.pop_front().unwrap_or_default(),
        _ => Vec::from(pieces).concat().into(),
    }
}
