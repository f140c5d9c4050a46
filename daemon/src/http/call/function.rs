//! Functions as they are: `/fn/NAME/…`. One that speaks HTTP gets the request and answers it; a command is a CGI program.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::{EXPECT, HeaderValue, TRAILER};
use hyper::http::request::Parts;
use nebula_api::problem::FailedCall;
use nebula_runtime::HttpError as Error;

use crate::functions::Function;
use crate::http::Request;
use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::body::{Reply, Streamed};
use crate::http::answer::energy::Known;
use crate::http::answer::envelope::cost;
use crate::http::answer::exposure::Door;
use crate::http::answer::headers::{INVOCATION_ID, TRAILERS};
use crate::http::answer::problem::Problem;
use crate::http::app::App;
use crate::http::call::cgi;
use crate::http::call::conversation::{Heard, WHOLE_MAX, Written, hear};
use crate::http::call::invoke::{Form, answer_call, energy_headers, exchange, log};
use crate::http::record::take_context;
use crate::http::request::body;
use crate::http::request::query::{nameable, take_settle, variables};
use crate::invocation::{self, Finished, RequestContext};
use nebula_runtime::{Ending, Input, Kind};

/// Where a function stands in the tree of paths.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    /// The path up to the function.
    pub script: &'a str,
    /// The path below it, as it was sent; empty, or beginning with a slash.
    pub rest: &'a str,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peers {
    /// Whoever asks.
    pub remote: SocketAddr,
    /// Whom they asked.
    pub local: SocketAddr,
    /// Whether nobody between them can read along.
    pub https: bool,
}

/// A request that was read for a program of CGI.
pub struct CgiRequest {
    /// Its head.
    pub head: Parts,
    /// Its body.
    pub input: Bytes,
    /// Who wants to know what comes of it.
    pub context: RequestContext,
    /// The variables of CGI.
    pub environment: Vec<(String, String)>,
}

impl App {
    /// Calls a function that stands at `mount`, and gives its own answer.
    pub(crate) async fn run_function(
        self: &Arc<Self>,
        request: Request,
        visitor: &Visitor,
        function: &Arc<Function>,
        mount: Mount<'_>,
        peers: Peers,
    ) -> Response {
        let answered = match function.program.kind() {
            Kind::Proxy | Kind::Service => self.converse(request, visitor, function, mount).await,
            Kind::Command | Kind::Component => self.run_command(request, visitor, function, mount, peers).await,
            Kind::Numeric => self.run_numeric(request, visitor, function).await,
        };
        answered.unwrap_or_else(|problem| problem.response(None))
    }

    async fn converse(
        self: &Arc<Self>,
        request: Request,
        visitor: &Visitor,
        function: &Arc<Function>,
        mount: Mount<'_>,
    ) -> Result<Response, Problem> {
        let (mut head, body) = request.into_parts();
        let context = take_context(&mut head.extensions);
        let slash = if mount.rest.starts_with('/') { "" } else { "/" };
        let path = match head.uri.query() {
            Some(query) => format!("{slash}{}?{query}", mount.rest),
            None => format!("{slash}{}", mount.rest),
        };
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| Error::InternalError(Some(error.to_string()));
        if body.size_hint().lower() > self.body_max as u64 {
            return Err(Problem::BodyTooLarge { bytes_max: self.body_max, limit: "limits.body" });
        }
        let body = if head.headers.contains_key(EXPECT) {
            Limited::new(body::Begun::new(body).await, self.body_max).map_err(broken).boxed_unsync()
        } else {
            Limited::new(body, self.body_max).map_err(broken).boxed_unsync()
        };
        let (input, answer) = exchange(head, &path, visitor.https, body)?;
        let request = invocation::Request { input, payer: visitor.payer.clone(), context, ..Default::default() };
        let call = self.invoker.invoke(function, request).await;
        match hear(call.map_err(|why| visitor.door.refused(why))?, answer, WHOLE_MAX).await {
            Heard::Ended(finished, Some(written)) if finished.completion.status().is_some() => {
                log(function, &finished);
                Ok(self.whole(&finished, visitor.door, written))
            }
            Heard::Ended(mut finished, _) => {
                log(function, &finished);
                let cost = self.cost(&mut finished, visitor.door).await;
                Ok(answer_call(function, &finished, cost, Form::Plain, false))
            }
            Heard::Writing(call, written) => {
                let id = call.id;
                let (app, door) = (self.clone(), visitor.door);
                let trailing = Box::new(move |function: &Function, finished: &Finished| {
                    log(function, finished);
                    let mut trailers = HeaderMap::new();
                    app.tell(finished, door, &mut trailers);
                    trailers
                });
                let Written { head, ready, body, trailers, .. } = written;
                let (call, function) = (Some(call), function.clone());
                let streamed = Streamed { ready, body, trailers, call, function, trailing };
                let mut response = Response::from_parts(head, Reply::Streamed(Box::new(streamed)));
                response.headers_mut().append(TRAILER, TRAILERS.clone());
                if let Ok(id) = HeaderValue::try_from(id.to_string()) {
                    response.headers_mut().insert(INVOCATION_ID, id);
                }
                Ok(response)
            }
        }
    }

    /// An answer that was complete when its call ended.
    fn whole(&self, finished: &Finished, door: Door, written: Written) -> Response {
        let Written { head, ready, trailers, .. } = written;
        let reply = match trailers {
            Some(trailers) => Reply::Ended(ready, Some(trailers)),
            None => Reply::from(together(ready)),
        };
        let mut response = Response::from_parts(head, reply);
        self.tell(finished, door, response.headers_mut());
        response
    }

    /// The energy and times of a call that has ended.
    fn tell(&self, finished: &Finished, door: Door, headers: &mut HeaderMap) {
        let cost = cost(finished, Known::Ended(&finished.ended), &self.energy_view(door));
        energy_headers(finished, &cost, headers);
    }

    /// Calls a command as a CGI program.
    async fn run_command(
        &self,
        request: Request,
        visitor: &Visitor,
        function: &Arc<Function>,
        mount: Mount<'_>,
        peers: Peers,
    ) -> Result<Response, Problem> {
        let unfit = |unfit: cgi::Unfit| Problem::BadRequest(unfit.to_string());
        let path = cgi::PathInfo::parse(mount.rest).map_err(unfit)?;
        let arguments = cgi::arguments(&path, request.uri().query()).map_err(unfit)?;
        let CgiRequest { head, input, context, mut environment } =
            self.as_cgi_tells(request, visitor, mount.script, &path, peers).await?;
        let mut given = nameable(head.uri.query());
        let settle = take_settle(&mut given)? && visitor.door.tells_joules();
        given.retain(|(name, _)| !is_of_cgi(name));
        environment.extend(given);
        let (input, payer) = (Input::Captured(input), visitor.payer.clone());
        let request =
            invocation::Request { input, arguments, environment, settle, payer, context, ..Default::default() };
        self.run_program(request, visitor, function).await
    }

    /// Reads a request, and makes of it what a program of CGI is told.
    pub(crate) async fn as_cgi_tells(
        &self,
        request: Request,
        visitor: &Visitor,
        script: &str,
        path: &cgi::PathInfo,
        peers: Peers,
    ) -> Result<CgiRequest, Problem> {
        let (mut head, body) = request.into_parts();
        let context = take_context(&mut head.extensions);
        let input = body::read(body, self.body_max, self.body_timeout).await?;
        let environment = cgi::variables(&cgi::Call {
            head: &head,
            script,
            path,
            body: input.len(),
            local: peers.local,
            peer: Some(peers.remote),
            https: visitor.https,
            user: visitor.name(),
        });
        Ok(CgiRequest { head, input, context, environment })
    }

    /// Calls a program of CGI, and answers as it does.
    pub(crate) async fn run_program(
        &self,
        request: invocation::Request,
        visitor: &Visitor,
        function: &Arc<Function>,
    ) -> Result<Response, Problem> {
        let mut finished = self.invoker.invoke(function, request).await.map_err(|why| visitor.door.refused(why))?.await;
        log(function, &finished);
        let cost = self.cost(&mut finished, visitor.door).await;
        if finished.completion.ending != Ending::Returned {
            return Ok(answer_call(function, &finished, cost, Form::Plain, false));
        }
        let mut headers = HeaderMap::new();
        energy_headers(&finished, &cost, &mut headers);
        let completion = finished.completion;
        let mut response = match cgi::parse(completion.output.into()) {
            Ok(answer) => {
                let mut response = Response::new(Reply::from(answer.body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                response
            }
            Err(why) => {
                let stderr = String::from_utf8_lossy(&completion.log);
                let (function, invocation_id) = (function.name.as_str().into(), finished.id);
                let failed = FailedCall { function, invocation_id, exit_code: Some(0), stderr, cost };
                Problem::BadAnswer(why.to_string()).response(Some(failed))
            }
        };
        response.headers_mut().extend(headers);
        Ok(response)
    }

    /// Calls a function with the body as its input, and answers with its output.
    async fn run_numeric(
        &self,
        request: Request,
        visitor: &Visitor,
        function: &Arc<Function>,
    ) -> Result<Response, Problem> {
        let mut environment = variables(request.uri().query())?;
        let settle = take_settle(&mut environment)? && visitor.door.tells_joules();
        let (mut head, body) = request.into_parts();
        let context = take_context(&mut head.extensions);
        let input = Input::Captured(body::read(body, self.body_max, self.body_timeout).await?);
        let payer = visitor.payer.clone();
        let request = invocation::Request { input, environment, settle, payer, context, ..Default::default() };
        let mut finished = self.invoker.invoke(function, request).await.map_err(|why| visitor.door.refused(why))?.await;
        log(function, &finished);
        let cost = self.cost(&mut finished, visitor.door).await;
        Ok(answer_call(function, &finished, cost, Form::Plain, false))
    }
}

/// Pieces in one; without a copy where it is one already.
fn together(mut pieces: std::collections::VecDeque<bytes::Bytes>) -> bytes::Bytes {
    match pieces.len() {
        0 => bytes::Bytes::new(),
        1 => pieces.pop_front().unwrap_or_default(),
        _ => Vec::from(pieces).concat().into(),
    }
}

/// Whether a variable's name is one that CGI gives a meaning. A query must not set it.
fn is_of_cgi(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    ];
    name.starts_with("HTTP_") || NAMES.contains(&name)
}
