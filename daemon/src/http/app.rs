//! What answers are made from.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::header::HOST;
use hyper::{Method, StatusCode, Version};

use crate::carbon::Carbon;
use crate::functions::{Deployer, Registry};
use crate::invocation::Invoker;
use crate::meter::OFF;
use crate::telemetry::{Calls, Metrics, Observers};
use crate::units::Policy;

use crate::http::access::guest_pages::{asks_for_worker, check_worker, confine};
use crate::http::access::{Access, CorsPolicy, Listener, Visitor};
use crate::http::answer::energy::EnergyView;
use crate::http::answer::exposure::Door;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, TEXT, answer, json};
use crate::http::call::function::{Mount, Peers};
use crate::http::read::openapi::openapi;
use crate::http::read::usage::UsageFile;
use crate::http::request::negotiate::prefers_html;
use crate::http::request::query::decoded;
use crate::http::route::{Endpoint, Route};
use crate::http::settings::FormBounds;
use crate::http::{Request, Response, page};

/// Why hardware events are not counted: the machine offers no performance counters. `/energy` says more.
const NO_PMU: &str = "no_pmu";

/// Everything that answers need.
pub struct App {
    /// Who may come in.
    pub access: Arc<Access>,
    /// The functions.
    pub registry: Arc<Registry>,
    /// What changes them.
    pub deployer: Arc<Deployer>,
    /// What runs them.
    pub invoker: Arc<Invoker>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The calls that are known.
    pub calls: Arc<Calls>,
    /// Where stored accounts are read.
    pub usage: UsageFile,
    /// What `energy_joules` means.
    pub policy: Policy,
    /// What joules mean for the climate.
    pub carbon: Carbon,
    /// How much a form may ask for.
    pub form: FormBounds,
    /// Largest body of a request, in bytes.
    pub body_max: usize,
    /// Largest module, in bytes.
    pub module_max: u64,
    /// Longest time until a body is complete.
    pub body_timeout: Duration,
    /// Who else is told of requests and calls.
    pub observers: Arc<Observers>,
    /// Set when the daemon is about to end.
    pub draining: AtomicBool,
}

impl App {
    /// How clients that come in through `door` see the energy of calls.
    pub(crate) fn energy_view(&self, door: Door) -> EnergyView<'_> {
        let (policy, carbon) = (self.policy, &self.carbon);
        match self.invoker.metering().meter() {
            Ok(meter) => {
                let calibration = meter.calibration();
                let base_known = calibration.zones.iter().all(|zone| zone.base.is_some());
                let no_events = meter.no_events().map(|_| NO_PMU);
                EnergyView { source: calibration.source.as_str(), base_known, no_events, policy, carbon, door }
            }
            Err(_) => EnergyView { source: OFF, base_known: false, no_events: None, policy, carbon, door },
        }
    }

    /// Answers a request. Never fails: what goes wrong is an answer too.
    ///
    /// # Errors
    /// None.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request,
        listener: Listener,
        peers: Peers,
    ) -> Result<Response, Infallible> {
        let context = self.begin_record(&mut request, peers);
        let cors = CorsPolicy::for_request(request.headers(), &self.access.origins);
        if let Some(answer) = cors.preflight(&request) {
            return Ok(context.answer(answer));
        }
        let is_root = request.uri().path() == "/";
        let is_page = is_root && prefers_html(request.headers());
        let route = Route::of(request.method(), request.uri().path(), &self.registry);
        let mut response = match self.admit(&mut request, &route, listener, peers) {
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
        Ok(context.answer(response))
    }

    fn admit(
        &self,
        request: &mut Request,
        route: &Route,
        listener: Listener,
        peers: Peers,
    ) -> Result<Visitor, Problem> {
        check_head(request)?;
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
        let door = visitor.door;
        let query = request.uri().query();
        match route.endpoint {
            Endpoint::Page => Ok(self.page(&request, visitor)),
            Endpoint::PageFile => page::files::answer(route.rest(request.uri().path()), &request),
            Endpoint::Invoke => Ok(self.invoke(request, visitor, &route, None).await),
            Endpoint::Api | Endpoint::Wasm => {
                let input = decoded(route.rest(request.uri().path()).trim_start_matches('/'))?.into_owned();
                let given = (request.method() == Method::GET || !input.is_empty()).then_some(input);
                Ok(self.invoke(request, visitor, &route, given).await)
            }
            Endpoint::Form => self.form(request, visitor).await,
            Endpoint::Fn | Endpoint::Named | Endpoint::Routed => {
                let path = request.uri().path().to_owned();
                let (script, rest) = route.mount(&path);
                let mount = Mount { script, rest };
                Ok(self.run_function(request, visitor, route.function()?, mount, peers).await)
            }
            Endpoint::Module => self.run_module(request, visitor, route.function()?, peers).await,
            Endpoint::Functions => Ok(json(StatusCode::OK, JSON, &self.list(visitor))),
            Endpoint::Function | Endpoint::Manifest | Endpoint::Versions | Endpoint::Rollback => {
                self.function_route(request, visitor, &route).await
            }
            Endpoint::Invocations => self.invocations(visitor, query),
            Endpoint::Invocation => self.invocation(visitor, route.rest(request.uri().path())),
            Endpoint::Energy => {
                door.to_totals()?;
                Ok(json(StatusCode::OK, JSON, &self.ledger()))
            }
            Endpoint::Events => self.events(visitor, query),
            Endpoint::Usage => self.usage(&request, door).await,
            Endpoint::Metrics => self.metrics(&request, door).await,
            Endpoint::Health => self.health(),
            Endpoint::Ready if self.draining.load(Ordering::Relaxed) => Err(Problem::Draining),
            Endpoint::Ready => Ok(answer(StatusCode::OK, TEXT, "ready\n")),
            Endpoint::OpenApi => Ok(openapi()),
            Endpoint::Nothing | Endpoint::Reserved => Err(Problem::NoRoute(request.uri().path().to_owned())),
        }
    }

    fn page(&self, request: &Request, visitor: &Visitor) -> Response {
        match visitor.door.to_calls() {
            Ok(()) => page::index(self, visitor, self.access.page_key.for_document(request.headers())),
            Err(problem) if prefers_html(request.headers()) => page::closed(&problem),
            Err(problem) => problem.response(None),
        }
    }

    fn health(&self) -> Result<Response, Problem> {
        match self.invoker.metering().health() {
            Ok(()) => Ok(answer(StatusCode::OK, TEXT, "ok\n")),
            Err(why) => Err(Problem::Unhealthy(why.to_string())),
        }
    }
}

/// What hyper lets through and a careful server does not. A request with both lengths is settled by hyper: it believes
/// the chunks, hides the other length from us, and closes the connection.
///
/// Source: RFC 9112, sections 3.2 (`Host`) and 6.3 (both lengths: a request made to be read in two ways).
fn check_head(request: &Request) -> Result<(), Problem> {
    if !matches!(request.version(), Version::HTTP_10 | Version::HTTP_11) {
        return Ok(());
    }
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(Problem::BadRequest("a request has exactly one `Host`".into()));
    }
    Ok(())
}
