//! Commands answer as CGI programs. Those of a `modules.toml` see requests as WAGI presents them: CGI with some more
//! variables, and arguments of their own. A query is nothing but arguments there: unlike at `/fn`, it sets no variables, and
//! `settle` is for the module to read.
//!
//! Source: RFC 3875; WAGI, `docs/environment_variables.md`.

use hyper::HeaderMap;
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use nebula_runtime::{Ending, Input, Kind};
use tokio::sync::OwnedSemaphorePermit;

use super::cgi::{self, InvalidTarget, PathInfo};
use super::plain::{failed, plain_answer};
use super::{Context, Mount, take_context};
use crate::functions::Gateway;
use crate::http::answer::body::whole;
use crate::http::answer::costs::add_headers;
use crate::http::answer::problem::Problem;
use crate::http::host::Host;
use crate::http::request::body::Received;
use crate::http::request::query::nameable;
use crate::http::{Request, Response};
use crate::invocation;

impl Context<'_> {
    pub async fn run_cgi(&self, request: Request, mount: Mount<'_>) -> Result<Response, Problem> {
        let path = PathInfo::parse(mount.rest)?;
        let arguments = cgi::arguments(&path, self.query(request.uri())?)?;
        let (head, mut request, _room) = self.cgi_request(request, mount, &path).await?;
        let mut given = nameable(head.uri.query());
        request.settle = self.take_settle(&mut given)?;
        given.retain(|(name, _)| !cgi::is_reserved(name));
        request.environment.extend(given);
        request.arguments = arguments;
        self.run_program(request).await
    }

    /// Calls a function of a `modules.toml` at its route.
    pub async fn run_module(&self, request: Request) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        let Some(gateway) = self.function.gateway() else { return Err(Problem::NoRoute(path)) };
        let (script, rest) = gateway.route.split(&path);
        let mount = Mount { script, rest };
        if !matches!(self.function.program.kind(), Kind::Command | Kind::Component) {
            return self.answer(request, mount).await;
        }
        let path = PathInfo::parse(mount.rest)?;
        self.query(request.uri())?;
        let (head, mut request, _room) = self.cgi_request(request, mount, &path).await?;
        add_wagi_variables(&mut request.environment, &head, gateway, mount, &path);
        let mut argv = gateway.argv.fill(mount.script, head.uri.query()).into_iter();
        request.program = argv.next();
        request.arguments = argv.collect();
        self.run_program(request).await
    }

    /// Reads a request, and turns it into the input and variables of a CGI program. The last of what it returns is to be kept
    /// as long as the input.
    async fn cgi_request(
        &self,
        request: Request,
        mount: Mount<'_>,
        path: &PathInfo,
    ) -> Result<(Parts, invocation::Request, Option<OwnedSemaphorePermit>), Problem> {
        let (mut head, body) = request.into_parts();
        let (context, Received { bytes: input, room }) = (take_context(&mut head.extensions), self.read(body).await?);
        let environment = cgi::variables(&cgi::CgiRequest {
            head: &head,
            script: mount.script,
            path,
            body: input.len(),
            peers: self.peers,
            user: self.visitor.name(),
        });
        let input = Input::Captured(input);
        Ok((head, invocation::Request { input, environment, context, ..Default::default() }, room))
    }

    /// Runs a CGI program, and answers as it says.
    async fn run_program(&self, request: invocation::Request) -> Result<Response, Problem> {
        let mut finished = self.run(request).await?;
        let cost = self.cost(&mut finished).await;
        if finished.completion.ending != Ending::Returned {
            return Ok(plain_answer(self.function, &finished, cost));
        }
        let mut headers = HeaderMap::new();
        add_headers(&mut headers, &finished, &cost);
        let output = std::mem::take(&mut finished.completion.output);
        let mut response = match cgi::parse(output.into()) {
            Ok(answer) => {
                let mut response = Response::new(whole(answer.body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                response
            }
            Err(why) => Problem::BadAnswer(why.to_string()).response(Some(failed(self.function, &finished, cost))),
        };
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

impl From<InvalidTarget> for Problem {
    fn from(invalid: InvalidTarget) -> Self {
        Self::BadRequest(invalid.to_string())
    }
}

/// Adds what WAGI has besides CGI's variables and, empty, those that it never leaves out. The port is the one that the client
/// named, if it named one.
fn add_wagi_variables(
    environment: &mut Vec<(String, String)>,
    head: &Parts,
    gateway: &Gateway,
    mount: Mount<'_>,
    path: &PathInfo,
) {
    let find = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let scheme = find("HTTPS").map_or("http", |_| "https");
    let server = || format!("{}:{}", find("SERVER_NAME").unwrap_or_default(), find("SERVER_PORT").unwrap_or_default());
    let host = find("HTTP_HOST").map_or_else(server, str::to_owned);
    let target = head.uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let more = [
        ("X_MATCHED_ROUTE", gateway.route.as_str().to_owned()),
        ("X_FULL_URL", format!("{scheme}://{host}{target}")),
        ("X_RAW_PATH_INFO", mount.rest.to_owned()),
        ("PATH_INFO", path.as_str().to_owned()),
        ("PATH_TRANSLATED", path.as_str().to_owned()),
        ("CONTENT_LENGTH", "0".to_owned()),
        ("CONTENT_TYPE", String::new()),
        ("AUTH_TYPE", String::new()),
        ("REMOTE_USER", String::new()),
    ];
    let port = Host::of(&head.uri, &head.headers).and_then(|host| host.port);
    let own = [("SERVER_SOFTWARE", Some("WAGI/1".to_owned())), ("SERVER_PORT", port.map(|port| port.to_string()))];
    for (name, value) in own {
        let known = environment.iter_mut().find(|(known, _)| known == name);
        if let (Some((_, known)), Some(value)) = (known, value) {
            *known = value;
        }
    }
    for (name, value) in more {
        if !environment.iter().any(|(known, _)| known == name) {
            environment.push((name.to_owned(), value));
        }
    }
}
