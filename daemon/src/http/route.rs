//! Which path does what.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::header::HOST;
use hyper::{Method, StatusCode, Version};

use crate::http::Request;
use crate::http::Response;
use crate::http::access::guest_pages::{asks_for_worker, check_worker, confine};
use crate::http::access::{Gate, Told, Visitor, preflight};
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, TEXT, answer, json};
use crate::http::app::App;
use crate::http::call::function::{Mount, Peers};
use crate::http::page;
use crate::http::read::openapi::openapi;
use crate::http::request::negotiate::prefers_html;
use crate::http::request::query::decoded;

impl App {
    /// Answers a request. Never fails: what goes wrong is an answer too.
    ///
    /// # Errors
    /// None.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request,
        gate: Gate,
        peers: Peers,
    ) -> Result<Response, Infallible> {
        let trail = self.begin_trail(&mut request, peers);
        let told = Told::to(request.headers(), &self.access.origins);
        if let Some(answer) = preflight(&request, &told) {
            return Ok(trail.answer(answer));
        }
        let is_root = request.uri().path() == "/";
        let is_page = is_root && prefers_html(request.headers());
        let mut response = match self.admit(request, gate, peers) {
            Ok((request, visitor)) => {
                self.route(request, &visitor, peers).await.unwrap_or_else(|problem| problem.response(None))
            }
            Err(problem) if is_page => page::closed(&problem),
            Err(problem) => problem.response(None),
        };
        if !is_root {
            confine(&mut response);
        }
        told.tell(&mut response);
        Ok(trail.answer(response))
    }

    fn admit(&self, mut request: Request, gate: Gate, peers: Peers) -> Result<(Request, Visitor), Problem> {
        check_head(&request)?;
        // Where a module is at the root, the page is not.
        if asks_for_worker(request.headers()) && self.registry.module("/").is_none() {
            check_worker(request.uri().path())?;
        }
        let routed = |path: &str| {
            let module = self.registry.module(path);
            let by_route = module.or_else(|| self.registry.route(path).map(|(_, function)| function));
            let function = by_route.or_else(|| self.registry.find(&decoded(path.get(1..)?).ok()?))?;
            Some(function.name.as_str().to_owned())
        };
        let visitor = self.access.admit(&mut request, gate, peers, routed)?;
        Ok((request, visitor))
    }

    async fn route(self: &Arc<Self>, request: Request, visitor: &Visitor, peers: Peers) -> Result<Response, Problem> {
        let door = visitor.door;
        let path = request.uri().path().to_owned();
        // `CONNECT` has no path, and `OPTIONS *` one without a slash.
        let below = path.get(1..).unwrap_or_default();
        let (first, rest) = match below.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (below, None),
        };
        if let Some(module) = self.registry.module(&path) {
            return self.run_module(request, visitor, &module, peers).await;
        }
        match (first, rest) {
            ("", None) => self.get(&request, |app| match door.to_calls() {
                Ok(()) => page::index(app, visitor, app.access.proof.for_document(request.headers())),
                Err(problem) if prefers_html(request.headers()) => page::closed(&problem),
                Err(problem) => problem.response(None),
            }),
            ("_page", Some(file)) => self.try_get(&request, |_| page::files::answer(file, &request)),
            ("invoke", Some(name)) => {
                allow(&request, &[Method::GET, Method::POST], "GET, POST")?;
                Ok(self.invoke(request, visitor, &decoded(name)?, None).await)
            }
            ("api", Some("wasm")) => {
                allow(&request, &[Method::POST], "POST")?;
                self.form(request, visitor).await
            }
            ("api" | "wasm", Some(rest)) => {
                allow(&request, &[Method::GET, Method::POST], "GET, POST")?;
                let (name, input) = rest.split_once('/').unwrap_or((rest, ""));
                let input = decoded(input)?;
                let given = (request.method() == Method::GET || !input.is_empty()).then_some(&*input);
                Ok(self.invoke(request, visitor, &decoded(name)?, given).await)
            }
            ("fn", Some(below)) => {
                let (name, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
                let function = self.function(&decoded(name)?)?;
                let mount = Mount { script: &path[..path.len() - rest.len()], rest };
                Ok(self.run_function(request, visitor, &function, mount, peers).await)
            }
            ("functions", None) => self.get(&request, |app| json(StatusCode::OK, JSON, &app.list(visitor))),
            ("functions", Some(name)) => self.function_route(request, visitor, name).await,
            ("invocations", None) => self.try_get(&request, |app| app.invocations(visitor, request.uri().query())),
            ("invocations", Some(id)) => self.try_get(&request, |app| app.invocation(visitor, id)),
            ("energy", None) => self.try_get(&request, |app| {
                door.to_totals()?;
                Ok(json(StatusCode::OK, JSON, &app.ledger()))
            }),
            ("events", None) => self.try_get(&request, |_| self.events(visitor, request.uri().query())),
            ("usage", None) => {
                allow(&request, &[Method::GET], "GET")?;
                self.usage(&request, door).await
            }
            ("metrics", None) => {
                allow(&request, &[Method::GET], "GET")?;
                self.metrics(&request, door).await
            }
            ("healthz", None) => {
                self.get(&request, |app| match app.invoker.metering().meter().ok().and_then(|meter| meter.stalled()) {
                    None => answer(StatusCode::OK, TEXT, "ok\n"),
                    Some(time) => Problem::Unhealthy(format!("no window was closed for {time:?}")).response(None),
                })
            }
            ("openapi.json", None) => self.get(&request, |_| openapi()),
            ("readyz", None) => self.get(&request, |app| {
                if app.draining.load(Ordering::Relaxed) {
                    Problem::Draining.response(None)
                } else {
                    answer(StatusCode::OK, TEXT, "ready\n")
                }
            }),
            (name, None) => {
                if let Some((script, function)) = self.registry.route(&path) {
                    return Ok(self.run_routed(request, visitor, &function, script, peers).await);
                }
                let function = self.registry.find(&decoded(name)?).ok_or_else(|| Problem::NoRoute(path.clone()))?;
                allow(&request, &[Method::GET], "GET")?;
                let mount = Mount { script: &path, rest: "" };
                Ok(self.run_function(request, visitor, &function, mount, peers).await)
            }
            (_, Some(_)) => match self.registry.route(&path) {
                Some((script, function)) => Ok(self.run_routed(request, visitor, &function, script, peers).await),
                None => Err(Problem::NoRoute(path.clone())),
            },
        }
    }

    fn get(&self, request: &Request, answer: impl FnOnce(&Self) -> Response) -> Result<Response, Problem> {
        self.try_get(request, |app| Ok(answer(app)))
    }

    fn try_get(
        &self,
        request: &Request,
        answer: impl FnOnce(&Self) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        allow(request, &[Method::GET], "GET")?;
        answer(self)
    }
}

/// `HEAD` is allowed wherever `GET` is; hyper leaves the body out.
pub(crate) fn allow(request: &Request, methods: &[Method], names: &'static str) -> Result<(), Problem> {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if methods.contains(method) { Ok(()) } else { Err(Problem::MethodNotAllowed(names)) }
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
