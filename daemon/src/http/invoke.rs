//! Requests that call a function, and the forms in which they are answered.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use super::answer::{BYTES, JSON, TEXT, answer, html as html_page, json};
use super::app::App;
use super::door::Door;
use super::energy::{Known, State};
use super::envelope::{Cost, Envelope, Output};
use super::negotiate::prefers_html;
use super::page;
use super::problem::{FailedCall, Problem};
use super::query::{take_settle, variables};
use super::{Request, Response, body};
use crate::functions::Function;
use crate::invocation::{self, Finished};
use crate::runtime::Ending;
use crate::telemetry::log_guest;

const ENERGY_JOULES: HeaderName = HeaderName::from_static("nebula-energy-joules");
const ENERGY_SOURCE: HeaderName = HeaderName::from_static("nebula-energy-source");
const ENERGY_STATE: HeaderName = HeaderName::from_static("nebula-energy-state");
const INVOCATION_ID: HeaderName = HeaderName::from_static("nebula-invocation-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What the caller wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The envelope, as JSON or HTML.
    Envelope,
    /// The function's own output; energy in headers.
    Plain,
}

impl App {
    /// Calls the function of this name. The input is `given`, or else the query's `input`, or else the body.
    pub(super) async fn call(
        &self,
        request: Request,
        door: Door,
        name: &str,
        given: Option<&str>,
        form: Form,
    ) -> Response {
        let html = form == Form::Envelope && prefers_html(request.headers());
        match self.try_call(request, door, name, given, form).await {
            Ok((function, mut finished)) => {
                let cost = self.cost(&mut finished, door).await;
                answer_call(&function, &finished, cost, form, html)
            }
            Err(problem) if html => page::problem(&problem, None),
            Err(problem) => problem.response(None),
        }
    }

    async fn try_call(
        &self,
        request: Request,
        door: Door,
        name: &str,
        given: Option<&str>,
        form: Form,
    ) -> Result<(std::sync::Arc<Function>, Finished), Problem> {
        let function = self.registry.find(name).ok_or_else(|| Problem::UnknownFunction(name.into()))?.clone();
        let mut environment = variables(request.uri().query())?;
        // Where nothing may be told there is nothing to wait for.
        let settle = take_settle(&mut environment)? && door.tells_joules();
        let mut input = given.map(str::to_owned);
        // A command at `/fn` sees the rest of its query, as a CGI program would.
        if form == Form::Envelope
            && let Some(index) = environment.iter().position(|(name, _)| name == "input")
        {
            let (_, value) = environment.remove(index);
            if input.replace(value).is_some() {
                return Err(Problem::BadRequest("the input is given twice: in the path and as `?input=`".into()));
            }
        }
        let body = body::read(request.into_body(), self.body_max, self.body_timeout).await?;
        let input = match input {
            Some(_) if !body.is_empty() => {
                return Err(Problem::BadRequest("the input is given twice: in the URL and as a body".into()));
            }
            Some(input) => input.into(),
            None => body,
        };
        let request = invocation::Request { input, environment, settle };
        let finished = self.invoker.invoke(&function, request).await.map_err(Problem::Busy)?;
        let completion = &finished.completion;
        log_guest(function.name.as_str(), &completion.log, completion.log_truncated);
        Ok((function, finished))
    }

    /// What the call cost: what it is finally charged, where the caller waits for that.
    async fn cost(&self, finished: &mut Finished, door: Door) -> Cost {
        let settled = match finished.settlement.take() {
            Some(settlement) => Some(settlement.wait().await),
            None => None,
        };
        let known = match &settled {
            Some(charge) => Known::Settled(&finished.ended, charge.as_ref().map_err(|why| *why)),
            None => Known::Ended(&finished.ended),
        };
        let no_events = self.invoker.metering().meter().ok().and_then(|meter| meter.no_events());
        Cost::new(finished, known, &self.teller(door), no_events)
    }
}

fn answer_call(function: &Function, finished: &Finished, cost: Cost, form: Form, html: bool) -> Response {
    let completion = &finished.completion;
    let (function, invocation_id, exit_code) = (function.name.as_str(), finished.id, completion.exit_code());
    let headers = (form == Form::Plain).then(|| energy_headers(finished, &cost));
    let mut response = if completion.ending == Ending::Returned {
        let output = Output::new(&completion.output);
        match (form, &output) {
            (Form::Plain, Output::Text(_)) => answer(StatusCode::OK, TEXT, completion.output.clone()),
            (Form::Plain, Output::Base64(_)) => answer(StatusCode::OK, BYTES, completion.output.clone()),
            (Form::Envelope, _) => {
                let envelope = Envelope { function, invocation_id, output, exit_code, cost };
                if html {
                    html_page(StatusCode::OK, page::envelope(&envelope).into_string())
                } else {
                    json(StatusCode::OK, JSON, &envelope)
                }
            }
        }
    } else {
        let stderr = String::from_utf8_lossy(&completion.log).into_owned();
        let failed = FailedCall { function, invocation_id, exit_code, stderr, cost };
        let problem = Problem::Guest(completion.ending.clone());
        if html { page::problem(&problem, Some(&failed)) } else { problem.response(Some(failed)) }
    };
    if let Some(headers) = headers {
        response.headers_mut().extend(headers);
    }
    response
}

/// The energy and times of a call whose body is its own.
fn energy_headers(finished: &Finished, cost: &Cost) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    if let Some(joules) = cost.energy_joules {
        insert(ENERGY_JOULES, joules.to_string());
    }
    if cost.energy.state != State::Withheld {
        insert(ENERGY_SOURCE, cost.energy.source.into());
        insert(ENERGY_STATE, cost.energy.state.as_str().into());
    }
    insert(INVOCATION_ID, finished.id.to_string());
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let (startup, execution) = (finished.completion.startup, finished.completion.execution);
    let cpu = finished.work.map(|work| format!(", cpu;dur={:.3}", milliseconds(work.cpu))).unwrap_or_default();
    let timing = format!("startup;dur={:.3}, execution;dur={:.3}{cpu}", milliseconds(startup), milliseconds(execution));
    insert(SERVER_TIMING, timing);
    headers
}
