//! Modules of a `modules.toml`: requests come to them as WAGI hands them on.
//!
//! They are programs of CGI with some variables more, and arguments of their own. A query is no more than arguments here:
//! unlike at `/fn`, it sets no variable, and `settle` is for the module to read.
//!
//! Source: WAGI, `docs/environment_variables.md`.

use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;

use crate::functions::{Function, Gateway};
use crate::http::Request;
use crate::http::Response;
use crate::http::access::Visitor;
use crate::http::answer::problem::Problem;
use crate::http::app::App;
use crate::http::call::cgi;
use crate::http::call::function::{CgiRequest, Mount, Peers};
use crate::invocation;
use nebula_runtime::{Input, Kind};

impl App {
    /// Calls the module whose route a request has taken.
    pub(crate) async fn run_module(
        self: &Arc<Self>,
        request: Request,
        visitor: &Visitor,
        module: &Arc<Function>,
        peers: Peers,
    ) -> Result<Response, Problem> {
        let Some(gateway) = module.gateway().cloned() else {
            return Err(Problem::NoRoute(request.uri().path().into()));
        };
        let path = request.uri().path().to_owned();
        let (script, rest) = gateway.route.split(&path);
        let mount = Mount { script, rest };
        match module.program.kind() {
            Kind::Command | Kind::Component => {
                let request = self.as_wagi_tells(request, visitor, &gateway, mount, peers).await?;
                self.run_program(request, visitor, module).await
            }
            Kind::Proxy | Kind::Service | Kind::Numeric => {
                Ok(self.run_function(request, visitor, module, mount, peers).await)
            }
        }
    }

    /// What the module is told of the request.
    async fn as_wagi_tells(
        &self,
        request: Request,
        visitor: &Visitor,
        gateway: &Gateway,
        mount: Mount<'_>,
        peers: Peers,
    ) -> Result<invocation::Request, Problem> {
        let unfit = |unfit: cgi::Unfit| Problem::BadRequest(unfit.to_string());
        let path = cgi::PathInfo::parse(mount.rest).map_err(unfit)?;
        let CgiRequest { head, input, context, mut environment } =
            self.as_cgi_tells(request, visitor, mount.script, &path, peers).await?;
        add_variables(&mut environment, &head, gateway, mount, &path);
        let mut argv = gateway.argv.fill(mount.script, head.uri.query()).into_iter();
        Ok(invocation::Request {
            input: Input::Captured(input),
            program: argv.next(),
            arguments: argv.collect(),
            environment,
            payer: visitor.payer.clone(),
            context,
            ..Default::default()
        })
    }
}

/// Adds what WAGI tells besides CGI's variables, and, empty, what it never leaves out.
fn add_variables(
    environment: &mut Vec<(String, String)>,
    head: &Parts,
    gateway: &Gateway,
    mount: Mount<'_>,
    path: &cgi::PathInfo,
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
    for (name, value) in more {
        if !environment.iter().any(|(known, _)| known == name) {
            environment.push((name.to_owned(), value));
        }
    }
}
