//! Requests that call a function, and the forms in which they are answered.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode, Uri};
use nebula_api::call::{Cost, Envelope, Output};
use nebula_api::energy::EnergyState;
use nebula_api::problem::FailedCall;
use nebula_runtime::WasiBody;
use tokio::sync::oneshot;

use crate::functions::Function;
use crate::http::Request;
use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::energy::Known;
use crate::http::answer::envelope::{cost, output};
use crate::http::answer::exposure::Door;
use crate::http::answer::headers::{
    CARBON_GRAMS, ENERGY_JOULES, ENERGY_SOURCE, ENERGY_STATE, INVOCATION_ID, SERVER_TIMING,
};
use crate::http::answer::problem::Problem;
use crate::http::answer::{BYTES, JSON, TEXT, answer, html as html_page, json};
use crate::http::app::App;
use crate::http::call::conversation::{Heard, hear};
use crate::http::page;
use crate::http::record::take_context;
use crate::http::request::body;
use crate::http::request::negotiate::prefers_html;
use crate::http::request::query::{take_settle, variables};
use crate::http::route::Route;
use crate::invocation::{self, Finished};
use crate::telemetry::{RequestId, log_guest};
use nebula_runtime::{Answer, Ending, Exchange, Input};

/// What the caller wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The envelope, as JSON or HTML.
    Envelope,
    /// The function's own output; energy in headers.
    Plain,
}

impl App {
    /// Calls the route's function and answers with an envelope. The input is `given`, or else the query's `input`, or
    /// else the body.
    pub(crate) async fn invoke(
        &self,
        request: Request,
        visitor: &Visitor,
        route: &Route,
        given: Option<String>,
    ) -> Response {
        let html = prefers_html(request.headers());
        match self.try_invoke(request, visitor, route, given).await {
            Ok((function, mut finished)) => {
                let cost = self.cost(&mut finished, visitor.door).await;
                answer_call(&function, &finished, cost, Form::Envelope, html)
            }
            Err(problem) if html => page::problem(&problem, None),
            Err(problem) => problem.response(None),
        }
    }

    async fn try_invoke(
        &self,
        request: Request,
        visitor: &Visitor,
        route: &Route,
        given: Option<String>,
    ) -> Result<(Arc<Function>, Finished), Problem> {
        let function = route.function()?.clone();
        let mut environment = variables(request.uri().query())?;
        // Where nothing may be told there is nothing to wait for.
        let settle = take_settle(&mut environment)? && visitor.door.tells_joules();
        let mut input = given;
        if let Some(index) = environment.iter().position(|(name, _)| name == "input") {
            let (_, value) = environment.remove(index);
            if input.replace(value).is_some() {
                return Err(Problem::BadRequest("the input is given twice: in the path and as `?input=`".into()));
            }
        }
        let (head, body) = request.into_parts();
        let body = body::read(body, self.body_max, self.body_timeout).await?;
        let input = match input {
            Some(_) if !body.is_empty() => {
                return Err(Problem::BadRequest("the input is given twice: in the URL and as a body".into()));
            }
            Some(input) => input.into(),
            None => body,
        };
        let finished = self.call_with(&function, head, environment, input, visitor, settle).await?;
        Ok((function, finished))
    }

    /// Calls the function with an input, of whatever kind it is.
    pub(crate) async fn call_with(
        &self,
        function: &Arc<Function>,
        mut head: Parts,
        mut environment: Vec<(String, String)>,
        input: Bytes,
        visitor: &Visitor,
        settle: bool,
    ) -> Result<Finished, Problem> {
        if function.program.kind().speaks_http() {
            return self.collect(function, head, &environment, input, visitor, settle).await;
        }
        let context = take_context(&mut head.extensions);
        context.add_to(&mut environment);
        let (input, payer) = (Input::Captured(input), visitor.payer.clone());
        let request = invocation::Request { input, environment, settle, payer, context, ..Default::default() };
        let finished = self.invoker.invoke(function, request).await.map_err(|why| visitor.door.refused(why))?.await;
        log(function, &finished);
        Ok(finished)
    }

    /// Calls a function that speaks HTTP, with the input as the body of a request for its root, and takes the body of its
    /// answer for its output.
    async fn collect(
        &self,
        function: &Arc<Function>,
        mut head: Parts,
        query: &[(String, String)],
        input: Bytes,
        visitor: &Visitor,
        settle: bool,
    ) -> Result<Finished, Problem> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let path = if query.is_empty() { "/".into() } else { format!("/?{query}") };
        let body = Full::new(input).map_err(|never| match never {}).boxed_unsync();
        let context = take_context(&mut head.extensions);
        let (exchange, answer) = exchange(head, &path, visitor.https, body)?;
        let payer = visitor.payer.clone();
        let request = invocation::Request { input: exchange, settle, payer, context, ..Default::default() };
        let call = self.invoker.invoke(function, request).await.map_err(|why| visitor.door.refused(why))?;
        match hear(call, answer, usize::MAX).await {
            Heard::Ended(mut finished, written) => {
                let ready = written.map(|written| written.ready).unwrap_or_default();
                finished.completion.output = Vec::from(ready).concat();
                log(function, &finished);
                Ok(*finished)
            }
            // It is heard to its end.
            Heard::Writing(..) => Err(Problem::Guest(Ending::NoAnswer)),
        }
    }

    /// The function of this name.
    pub(crate) fn function(&self, name: &str) -> Result<Arc<Function>, Problem> {
        self.registry.find(name).ok_or_else(|| Problem::UnknownFunction(name.into()))
    }

    /// What the call cost: what it is finally charged, where the caller waits for that.
    pub(crate) async fn cost(&self, finished: &mut Finished, door: Door) -> Cost {
        let settled = match finished.settlement.take() {
            Some(settlement) => Some(settlement.wait().await),
            None => None,
        };
        let known = match &settled {
            Some(charge) => Known::Settled(&finished.ended, charge.as_ref().map_err(|why| *why)),
            None => Known::Ended(&finished.ended),
        };
        cost(finished, known, &self.energy_view(door))
    }
}

/// The answer to a call that has ended, in either form.
pub(crate) fn answer_call(function: &Function, finished: &Finished, cost: Cost, form: Form, html: bool) -> Response {
    let completion = &finished.completion;
    let (function, invocation_id, exit_code) = (function.name.as_str(), finished.id, completion.exit_code());
    let mut headers = HeaderMap::new();
    if form == Form::Plain {
        energy_headers(finished, &cost, &mut headers);
    }
    let mut response = if matches!(completion.ending, Ending::Returned | Ending::Answered(_)) {
        let output = output(&completion.output);
        match (form, &output) {
            (Form::Plain, Output::Text(_)) => answer(StatusCode::OK, TEXT, completion.output.clone()),
            (Form::Plain, Output::Base64(_)) => answer(StatusCode::OK, BYTES, completion.output.clone()),
            (Form::Envelope, _) => {
                let status = completion.status();
                let function = function.into();
                let envelope = Envelope { function, invocation_id, output, exit_code, status, cost };
                if html {
                    html_page(StatusCode::OK, page::envelope(&envelope).into_string())
                } else {
                    json(StatusCode::OK, JSON, &envelope)
                }
            }
        }
    } else {
        let stderr = String::from_utf8_lossy(&completion.log);
        let failed = FailedCall { function: function.into(), invocation_id, exit_code, stderr, cost };
        let problem = Problem::Guest(completion.ending.clone());
        if html { page::problem(&problem, Some(&failed)) } else { problem.response(Some(failed)) }
    };
    response.headers_mut().extend(headers);
    response
}

/// A request for a guest that answers those itself, and where its answer comes. `path` is what it sees of the path.
pub(crate) fn exchange(
    mut head: Parts,
    path: &str,
    https: bool,
    body: WasiBody,
) -> Result<(Input, oneshot::Receiver<Answer>), Problem> {
    // A client of HTTP/1.0 may not say whom it wants; a guest has to hear of somebody.
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).or(head.uri.host()).unwrap_or("localhost");
    let scheme = if https { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
    head.uri = uri.map_err(|error| Problem::BadRequest(format!("the request's target cannot be used: {error}")))?;
    let (answer, answered) = oneshot::channel();
    Ok((Input::Http(Box::new(Exchange { request: hyper::Request::from_parts(head, body), answer })), answered))
}

/// Logs what the guest has written to its log.
pub(crate) fn log(function: &Function, finished: &Finished) {
    let completion = &finished.completion;
    let request = finished.request.as_ref().map(RequestId::as_str);
    log_guest(function.name.as_str(), request, &completion.log, completion.log_truncated);
}

/// The energy and times of a call whose body is its own.
pub(crate) fn energy_headers(finished: &Finished, cost: &Cost, headers: &mut HeaderMap) {
    headers.reserve(6);
    let mut insert = |name, value: HeaderValue| drop(headers.insert(name, value));
    let made = |value: String| HeaderValue::try_from(value).ok();
    if let Some(joules) = cost.energy_joules.and_then(|joules| made(joules.to_string())) {
        insert(ENERGY_JOULES, joules);
    }
    if let Some(grams) = cost.energy.carbon.as_ref().and_then(|carbon| made(carbon.grams?.to_string())) {
        insert(CARBON_GRAMS, grams);
    }
    if cost.energy.state != EnergyState::Withheld {
        match cost.energy.source {
            Cow::Borrowed(source) => insert(ENERGY_SOURCE, HeaderValue::from_static(source)),
            Cow::Owned(ref source) => made(source.clone()).into_iter().for_each(|source| insert(ENERGY_SOURCE, source)),
        }
        insert(ENERGY_STATE, HeaderValue::from_static(cost.energy.state.as_str()));
    }
    let (startup, execution) = (finished.completion.startup, finished.completion.execution);
    let (queue, startup, execution) = (Milliseconds(finished.queued), Milliseconds(startup), Milliseconds(execution));
    let mut timing = format!("queue;dur={queue}, startup;dur={startup}, execution;dur={execution}");
    if let Ok(work) = finished.work {
        let _ = write!(timing, ", cpu;dur={}", Milliseconds(work.cpu));
    }
    for (name, value) in [(INVOCATION_ID, made(finished.id.to_string())), (SERVER_TIMING, made(timing))] {
        if let Some(value) = value {
            insert(name, value);
        }
    }
}

/// Shown to the microsecond. In whole numbers: the decimals of a float cost a microsecond, of every call.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = (self.0.as_nanos() + 500) / 1000;
        write!(formatter, "{}.{:03}", micros / 1000, micros % 1000)
    }
}
