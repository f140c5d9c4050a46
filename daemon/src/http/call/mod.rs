//! The ways in which a request calls a function.
//!
//! All of them run through [`Context::run`], or [`Context::start`] where the answer begins before the call ends. Above that
//! they differ in what the function reads and in what becomes of its output: [`envelope`] and [`form`] capture it,
//! [`exchange`] passes an HTTP answer on, [`command`] reads it as a CGI answer, and [`plain`] takes it as it is.

mod cgi;
mod command;
mod conversation;
mod envelope;
mod exchange;
pub mod form;
mod plain;
mod streamed;

use std::sync::Arc;

use hyper::Uri;
use hyper::http::Extensions;
use nebula_api::call::Cost;
use nebula_runtime::Kind;

use super::access::Visitor;
use super::answer::costs::Costs;
use super::answer::problem::Problem;
use super::request::Peers;
use super::request::body::{Bodies, Received};
use super::request::incoming::RequestBody;
use super::request::query::{bounded, take_settle};
use super::sending::backlog::Backlog;
use super::settings::FormBounds;
use super::{Request, Response};
use crate::functions::Function;
use crate::invocation::{self, Call, Finished, Invoker, RequestContext};
use crate::telemetry::{RequestId, log_guest};

/// What calls of all functions share.
pub struct Caller {
    pub invoker: Arc<Invoker>,
    pub costs: Costs,
    pub bodies: Bodies,
    /// Most parameters of a query that is not passed on as it is.
    pub parameters: usize,
    pub form: FormBounds,
    pub backlog: Arc<Backlog>,
}

/// Where a function stands in the tree of paths.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    /// The path up to the function.
    pub script: &'a str,
    /// The path below it, as it was sent: empty, or beginning with a slash.
    pub rest: &'a str,
}

/// A request's call of a function.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub caller: &'a Arc<Caller>,
    pub visitor: &'a Visitor,
    pub function: &'a Arc<Function>,
    pub peers: Peers,
}

impl Context<'_> {
    /// Answers with what the function itself answers.
    pub async fn answer(&self, request: Request, mount: Mount<'_>) -> Result<Response, Problem> {
        match self.function.program.kind() {
            Kind::Proxy | Kind::Service => self.converse(request, mount).await,
            Kind::Command | Kind::Component => self.run_cgi(request, mount).await,
            Kind::Numeric => self.run_numeric(request).await,
        }
    }

    /// Starts a call, which runs as it is polled.
    async fn start(&self, request: invocation::Request) -> Result<Call, Problem> {
        let request = invocation::Request { payer: self.visitor.payer.clone(), ..request };
        let started = self.caller.invoker.invoke(self.function, request).await;
        started.map_err(|why| self.visitor.exposure.refused(why))
    }

    /// Runs a call to its end.
    async fn run(&self, request: invocation::Request) -> Result<Finished, Problem> {
        let finished = self.start(request).await?.await;
        log(self.function, &finished);
        Ok(finished)
    }

    async fn cost(&self, finished: &mut Finished) -> Cost {
        self.caller.costs.of(finished, self.visitor.exposure).await
    }

    async fn read(&self, body: RequestBody) -> Result<Received, Problem> {
        self.caller.bodies.read(body).await
    }

    /// The request's query, if it has no more parameters than it may.
    fn query<'r>(&self, uri: &'r Uri) -> Result<Option<&'r str>, Problem> {
        bounded(uri.query(), self.caller.parameters)
    }

    /// Takes `settle` out of the variables. A client that may not see joules has nothing to wait for.
    fn take_settle(&self, variables: &mut Vec<(String, String)>) -> Result<bool, Problem> {
        Ok(take_settle(variables)? && self.visitor.exposure.shows_joules())
    }
}

/// Logs what the guest wrote to stderr, and a failure that its answer does not show.
fn log(function: &Function, finished: &Finished) {
    let completion = &finished.completion;
    if completion.answered.is_some() && completion.status().is_none() {
        let (function, ending) = (function.name.as_str(), &completion.ending);
        tracing::warn!(function, "it answered, and then failed: {}", Problem::Guest(ending.clone()));
    }
    let request = finished.request.as_ref().map(RequestId::as_str);
    log_guest(function.name.as_str(), request, &completion.log, completion.log_truncated);
}

/// Takes what the call has to know of its request out of the request, so that the guest does not see it.
fn take_context(extensions: &mut Extensions) -> RequestContext {
    extensions.remove().unwrap_or_default()
}
