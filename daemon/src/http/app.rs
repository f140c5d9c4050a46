//! Answers requests: lets them in, and hands each to what its route says.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, StatusCode};

use crate::carbon::Carbon;
use crate::functions::{Deployer, Registry};
use crate::invocation::Invoker;
use crate::telemetry::{Calls, Metrics, Observers};
use crate::units::Policy;

use crate::http::access::guest_pages::{asks_for_worker, check_worker, confine};
use crate::http::access::{Access, CorsPolicy, Listener, Visitor};
use crate::http::answer::costs::Costs;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, TEXT, answer, json};
use crate::http::call::{Caller, Context, Mount, form};
use crate::http::read::events::EventFeed;
use crate::http::read::functions::Deployments;
use crate::http::read::invocations::CallLog;
use crate::http::read::ledger::ledger;
use crate::http::read::metrics::metrics;
use crate::http::read::openapi;
use crate::http::read::usage::UsageFile;
use crate::http::request::Peers;
use crate::http::request::body::Bodies;
use crate::http::request::head;
use crate::http::request::negotiate::prefers_html;
use crate::http::request::query::decoded;
use crate::http::route::{Endpoint, Route};
use crate::http::sending::backlog::Backlog;
use crate::http::settings::{ConnectionSettings, FormBounds};
use crate::http::{Request, Response, page, record};

/// What the daemon hands to its HTTP side.
pub struct Parts {
    pub access: Arc<Access>,
    pub registry: Arc<Registry>,
    pub deployer: Arc<Deployer>,
    pub invoker: Arc<Invoker>,
    pub metrics: Arc<Metrics>,
    pub calls: Arc<Calls>,
    pub observers: Arc<Observers>,
    pub usage: UsageFile,
    pub policy: Policy,
    pub carbon: Carbon,
    pub form: FormBounds,
    pub connections: ConnectionSettings,
    pub module_max: u64,
    pub backlog: Arc<Backlog>,
}

pub struct App {
    pub access: Arc<Access>,
    pub observers: Arc<Observers>,
    pub metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    caller: Arc<Caller>,
    call_log: Arc<CallLog>,
    deployments: Deployments,
    events: Arc<EventFeed>,
    usage: UsageFile,
    /// Set when the daemon is about to end.
    pub(super) draining: AtomicBool,
}

impl App {
    pub fn new(parts: Parts) -> Self {
        let Parts { access, registry, deployer, invoker, metrics, calls, observers, usage, module_max, .. } = parts;
        let Parts { policy, carbon, form, connections, backlog, .. } = parts;
        let bodies = Bodies::new(&connections);
        let metering = invoker.metering.clone();
        let costs = Costs { metering: metering.clone(), policy, carbon };
        let call_log = Arc::new(CallLog { calls, registry: registry.clone(), costs: costs.clone() });
        Self {
            access,
            metrics,
            caller: Arc::new(Caller {
                invoker,
                costs,
                bodies: bodies.clone(),
                parameters: connections.parameters,
                form,
                backlog,
            }),
            deployments: Deployments { registry: registry.clone(), deployer, metering, module_max, bodies },
            events: Arc::new(EventFeed { call_log: call_log.clone(), observers: observers.clone() }),
            registry,
            call_log,
            observers,
            usage,
            draining: AtomicBool::new(false),
        }
    }

    /// Answers a request. Never fails: problems are answers too.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request,
        listener: Listener,
        peers: Peers,
    ) -> Result<Response, Infallible> {
        let pending = record::begin(&self.observers, &mut request, peers);
        let cors = CorsPolicy::for_request(request.headers(), &self.access.origins);
        if let Some(answer) = cors.preflight(&request) {
            return Ok(pending.answer(answer));
        }
        let is_root = request.uri().path() == "/";
        let is_page = is_root && prefers_html(request.headers());
        let route = Route::of(request.method(), request.uri().path(), &self.registry);
        let head = head::check(&request);
        let closes = head.is_err() && head::closes_connection(request.version());
        let mut response = match head.and_then(|()| self.admit(&mut request, &route, listener, peers)) {
            Ok(visitor) => {
                self.dispatch(request, route, &visitor, peers).await.unwrap_or_else(|problem| problem.response(None))
            }
            Err(problem) if is_page => page::closed(&problem),
            Err(problem) => problem.response(None),
        };
        if !is_root {
            confine(&mut response);
        }
        cors.apply(&mut response);
        if closes {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(pending.answer(response))
    }

    fn admit(
        &self,
        request: &mut Request,
        route: &Route,
        listener: Listener,
        peers: Peers,
    ) -> Result<Visitor, Problem> {
        // Where a module is at the root, the page is not.
        if asks_for_worker(request.headers()) && self.registry.module("/").is_none() {
            check_worker(request.uri().path())?;
        }
        self.access.admit(request, listener, peers, route.need())
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: Request,
        route: Route,
        visitor: &Visitor,
        peers: Peers,
    ) -> Result<Response, Problem> {
        route.check_method(request.method())?;
        let exposure = visitor.exposure;
        let query = request.uri().query();
        match route.endpoint {
            Endpoint::Page => Ok(self.page(&request, visitor)),
            Endpoint::PageFile => page::files::answer(route.rest(request.uri().path()), &request),
            Endpoint::Invoke => self.invoke(request, visitor, &route, peers, None).await,
            Endpoint::Api | Endpoint::Wasm => {
                let input = decoded(route.rest(request.uri().path()).trim_start_matches('/'))?.into_owned();
                let given = (request.method() == Method::GET || !input.is_empty()).then_some(input);
                self.invoke(request, visitor, &route, peers, given).await
            }
            Endpoint::Form => form::answer(&self.caller, &self.registry, request, visitor, peers).await,
            Endpoint::Fn | Endpoint::Named | Endpoint::Routed => {
                let path = request.uri().path().to_owned();
                let (script, rest) = route.mount(&path);
                self.context(visitor, &route, peers)?.answer(request, Mount { script, rest }).await
            }
            Endpoint::Module => self.context(visitor, &route, peers)?.run_module(request).await,
            Endpoint::BrokenModule => Err(Problem::BrokenModule(request.uri().path().to_owned())),
            Endpoint::Functions => Ok(json(StatusCode::OK, JSON, &self.deployments.list(visitor))),
            Endpoint::Function | Endpoint::Manifest | Endpoint::Versions | Endpoint::Rollback => {
                self.deployments.answer(request, visitor, &route).await
            }
            Endpoint::Invocations => self.call_log.list(visitor, query),
            Endpoint::Invocation => self.call_log.get(visitor, route.rest(request.uri().path())),
            Endpoint::Energy => {
                exposure.check_totals()?;
                Ok(json(StatusCode::OK, JSON, &ledger(&self.registry, &self.caller.invoker, &self.caller.costs.carbon)))
            }
            Endpoint::Events => self.events.stream(visitor, query),
            Endpoint::Usage => self.usage.report(&request, exposure, self.caller.costs.policy).await,
            Endpoint::Metrics => metrics(&self.metrics, &request, exposure).await,
            Endpoint::Health => self.health(),
            Endpoint::Ready if self.draining.load(Ordering::Relaxed) => Err(Problem::Draining),
            Endpoint::Ready => Ok(answer(StatusCode::OK, TEXT, "ready\n")),
            Endpoint::OpenApi => Ok(openapi()),
            Endpoint::Nothing | Endpoint::Reserved => Err(Problem::NoRoute(request.uri().path().to_owned())),
        }
    }

    fn context<'a>(&'a self, visitor: &'a Visitor, route: &'a Route, peers: Peers) -> Result<Context<'a>, Problem> {
        Ok(Context { caller: &self.caller, visitor, function: route.function()?, peers })
    }

    /// Answers with an envelope, or a problem, as HTML if the client prefers that.
    async fn invoke(
        &self,
        request: Request,
        visitor: &Visitor,
        route: &Route,
        peers: Peers,
        input: Option<String>,
    ) -> Result<Response, Problem> {
        let html = prefers_html(request.headers());
        let answered = match self.context(visitor, route, peers) {
            Ok(context) => context.invoke(request, input, html).await,
            Err(problem) => Err(problem),
        };
        answered.or_else(|problem| if html { Ok(page::problem(&problem, None)) } else { Err(problem) })
    }

    fn page(&self, request: &Request, visitor: &Visitor) -> Response {
        match visitor.exposure.check_calls() {
            Ok(()) => page::index(&self.call_log, visitor, self.access.page_key.for_document(request.headers())),
            Err(problem) if prefers_html(request.headers()) => page::closed(&problem),
            Err(problem) => problem.response(None),
        }
    }

    fn health(&self) -> Result<Response, Problem> {
        match self.caller.costs.metering.health() {
            Ok(()) => Ok(answer(StatusCode::OK, TEXT, "ok\n")),
            Err(why) => Err(Problem::Unhealthy(why.to_string())),
        }
    }
}
