//! What a request means: its endpoint, the function that it is for, and what it takes to be allowed. Decided once, before
//! anything else is done with the request, so that the function whose token was checked is the one that runs.

use std::sync::Arc;

use hyper::Method;

use crate::functions::{Function, OWN_PATHS, Registry};
use crate::http::access::Need;
use crate::http::answer::problem::Problem;
use crate::http::request::query::decoded;
use crate::http::role::Role;

/// Who may use an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Anyone,
    /// Whoever may call functions, with any method.
    Callers,
    /// Whoever may call functions reads; changes need the role `deploy`.
    Deployers,
    Operators,
}

macro_rules! endpoints {
    ($($(#[$about:meta])* $name:ident = $path:literal, $methods:literal, $audience:ident;)*) => {
        /// What a path leads to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Endpoint { $($(#[$about])* $name),* }

        impl Endpoint {
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its path as `openapi.json` has it.
            #[cfg(test)]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }

            /// The methods that it answers, as `Allow` lists them; empty where it takes any.
            const fn methods(self) -> &'static str {
                match self { $(Self::$name => $methods),* }
            }

            const fn audience(self) -> Audience {
                match self { $(Self::$name => Audience::$audience),* }
            }
        }
    };
}

endpoints! {
    Page = "/", "GET", Callers;
    PageFile = "/_page/{file}", "GET", Anyone;
    Invoke = "/invoke/{function}", "GET, POST", Callers;
    Form = "/api/wasm", "POST", Callers;
    /// The input is in the path.
    Api = "/api/{function}/{input}", "GET, POST", Callers;
    Wasm = "/wasm/{function}/{input}", "GET, POST", Callers;
    Fn = "/fn/{function}/{path}", "", Callers;
    /// A function at its own name.
    Named = "/{function}", "GET", Callers;
    /// A function at a route of its manifest.
    Routed = "", "", Callers;
    /// A function of `modules.toml` at its route.
    Module = "", "", Callers;
    /// The route of a module of `modules.toml` that cannot be served.
    BrokenModule = "", "", Callers;
    Functions = "/functions", "GET", Deployers;
    Function = "/functions/{name}", "GET, PUT, DELETE", Deployers;
    Manifest = "/functions/{name}/manifest", "PUT", Deployers;
    Versions = "/functions/{name}/versions", "GET", Deployers;
    Rollback = "/functions/{name}/rollback", "POST", Deployers;
    Invocations = "/invocations", "GET", Callers;
    Invocation = "/invocations/{id}", "GET", Callers;
    Energy = "/energy", "GET", Operators;
    Events = "/events", "GET", Operators;
    Usage = "/usage", "GET", Operators;
    Metrics = "/metrics", "GET", Operators;
    Health = "/healthz", "GET", Anyone;
    Ready = "/readyz", "GET", Anyone;
    OpenApi = "/openapi.json", "GET", Callers;
    /// No function and none of the daemon's own paths.
    Nothing = "", "", Callers;
    /// Below a word of the daemon's own, and not in this table: closed to all but operators, so that an endpoint which
    /// somebody forgets to list here is not open.
    Reserved = "", "", Operators;
}

/// The function that a request is for.
pub enum Target {
    /// None, or the body names it.
    Nobody,
    Function(Arc<Function>),
    /// There is no function of this name.
    Unknown(String),
    /// The name is not UTF-8.
    NotText,
}

pub struct Route {
    pub endpoint: Endpoint,
    pub target: Target,
    /// The role that it takes; `None` where everybody may come.
    role: Option<Role>,
    /// Whether it changes what the daemon serves.
    changes: bool,
    /// Where in the path what is left for the endpoint begins: the file, the input, the call, or what is below a function.
    rest: usize,
}

impl Route {
    pub fn of(method: &Method, path: &str, registry: &Registry) -> Self {
        let (endpoint, target, rest) = resolve(path, registry);
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let (role, changes) = match endpoint.audience() {
            Audience::Anyone => (None, false),
            Audience::Callers => (Some(Role::Invoke), false),
            Audience::Deployers if reads => (Some(Role::Invoke), false),
            Audience::Deployers => (Some(Role::Deploy), true),
            Audience::Operators => (Some(Role::Operate), !reads),
        };
        Self { endpoint, target, role, changes, rest }
    }

    /// What a request needs to be let in.
    pub fn need(&self) -> Need<'_> {
        let function = match &self.target {
            Target::Function(function) => Some(function.name.as_str()),
            Target::Unknown(name) => Some(name.as_str()),
            Target::Nobody | Target::NotText => None,
        };
        Need { role: self.role, function, changes: self.changes }
    }

    /// # Errors
    /// When the endpoint has no such method. `HEAD` is allowed wherever `GET` is; hyper leaves the body out.
    pub fn check_method(&self, method: &Method) -> Result<(), Problem> {
        let (allowed, method) = (self.endpoint.methods(), if method == Method::HEAD { &Method::GET } else { method });
        if allowed.is_empty() || allowed.split(", ").any(|name| name == method.as_str()) {
            return Ok(());
        }
        Err(Problem::MethodNotAllowed(allowed))
    }

    /// The function that the path names.
    pub fn function(&self) -> Result<&Arc<Function>, Problem> {
        match &self.target {
            Target::Function(function) => Ok(function),
            _ => Err(Problem::UnknownFunction(self.name()?.into())),
        }
    }

    /// The name in the path, whether or not there is such a function.
    pub fn name(&self) -> Result<&str, Problem> {
        match &self.target {
            Target::Function(function) => Ok(function.name.as_str()),
            Target::Unknown(name) => Ok(name),
            Target::NotText => Err(Problem::BadRequest(crate::http::request::query::NOT_TEXT.into())),
            Target::Nobody => Ok(""),
        }
    }

    /// What of the path is left for the endpoint.
    pub fn rest<'path>(&self, path: &'path str) -> &'path str {
        self.mount(path).1
    }

    /// The path up to the function, and what is below it.
    pub fn mount<'path>(&self, path: &'path str) -> (&'path str, &'path str) {
        path.split_at_checked(self.rest).unwrap_or((path, ""))
    }
}

/// The endpoint, the function, and where the rest of the path begins.
fn resolve(path: &str, registry: &Registry) -> (Endpoint, Target, usize) {
    match registry.module(path) {
        Some(Some(module)) => return (Endpoint::Module, Target::Function(module), path.len()),
        Some(None) => return (Endpoint::BrokenModule, Target::Nobody, path.len()),
        None => {}
    }
    // `CONNECT` has no path, and `OPTIONS *` one without a slash.
    let below = path.get(1..).unwrap_or_default();
    let (first, rest) = match below.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (below, None),
    };
    let named =
        |endpoint, name: &str| (endpoint, target(name, registry), "/".len() + first.len() + "/".len() + name.len());
    let alone = |endpoint| (endpoint, Target::Nobody, "/".len() + first.len() + "/".len());
    match (first, rest) {
        ("", None) => alone(Endpoint::Page),
        ("_page", Some(_)) => alone(Endpoint::PageFile),
        ("invoke", Some(name)) => named(Endpoint::Invoke, name),
        ("api", Some("wasm")) => alone(Endpoint::Form),
        ("api", Some(rest)) => named(Endpoint::Api, first_segment(rest)),
        ("wasm", Some(rest)) => named(Endpoint::Wasm, first_segment(rest)),
        ("fn", Some(rest)) => named(Endpoint::Fn, first_segment(rest)),
        ("functions", None) => alone(Endpoint::Functions),
        ("functions", Some(rest)) => match rest.split_once('/') {
            None => named(Endpoint::Function, rest),
            Some((name, "manifest")) => named(Endpoint::Manifest, name),
            Some((name, "versions")) => named(Endpoint::Versions, name),
            Some((name, "rollback")) => named(Endpoint::Rollback, name),
            Some(_) => alone(Endpoint::Reserved),
        },
        ("invocations", None) => alone(Endpoint::Invocations),
        ("invocations", Some(_)) => alone(Endpoint::Invocation),
        ("energy", None) => alone(Endpoint::Energy),
        ("events", None) => alone(Endpoint::Events),
        ("usage", None) => alone(Endpoint::Usage),
        ("metrics", None) => alone(Endpoint::Metrics),
        ("healthz", None) => alone(Endpoint::Health),
        ("readyz", None) => alone(Endpoint::Ready),
        ("openapi.json", None) => alone(Endpoint::OpenApi),
        (own, _) if OWN_PATHS.contains(&own) => alone(Endpoint::Reserved),
        (name, below) => match registry.route(path) {
            Some((script, function)) => (Endpoint::Routed, Target::Function(function), script.len()),
            None if below.is_some() => alone(Endpoint::Nothing),
            None => match target(name, registry) {
                Target::Unknown(_) => alone(Endpoint::Nothing),
                // A module is where its route says. Otherwise one at `/bar/` would answer at `/bar` too.
                Target::Function(function) if function.gateway().is_some() => alone(Endpoint::Nothing),
                target => (Endpoint::Named, target, path.len()),
            },
        },
    }
}

fn target(name: &str, registry: &Registry) -> Target {
    match decoded(name) {
        Ok(name) => registry.find(&name).map_or_else(|| Target::Unknown(name.into_owned()), Target::Function),
        Err(_) => Target::NotText,
    }
}

fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(method: &str, path: &str) -> Route {
        Route::of(&method.parse().unwrap(), path, &Registry::default())
    }

    #[test]
    fn endpoint_role_and_function_follow_from_method_and_path() {
        let (invoke, deploy, operate) = (Some(Role::Invoke), Some(Role::Deploy), Some(Role::Operate));
        for (method, path, endpoint, role, function, changes) in [
            ("GET", "/", Endpoint::Page, invoke, None, false),
            ("GET", "/_page/style.css", Endpoint::PageFile, None, None, false),
            ("GET", "/healthz", Endpoint::Health, None, None, false),
            ("GET", "/readyz", Endpoint::Ready, None, None, false),
            ("GET", "/openapi.json", Endpoint::OpenApi, invoke, None, false),
            ("GET", "/invoke/a", Endpoint::Invoke, invoke, Some("a"), false),
            ("POST", "/invoke/a%20b", Endpoint::Invoke, invoke, Some("a b"), false),
            ("GET", "/api/a/12", Endpoint::Api, invoke, Some("a"), false),
            ("POST", "/wasm/a/", Endpoint::Wasm, invoke, Some("a"), false),
            ("POST", "/api/wasm", Endpoint::Form, invoke, None, false),
            ("DELETE", "/fn/a/b/c", Endpoint::Fn, invoke, Some("a"), false),
            ("GET", "/fn/a", Endpoint::Fn, invoke, Some("a"), false),
            ("GET", "/functions", Endpoint::Functions, invoke, None, false),
            ("HEAD", "/functions/a", Endpoint::Function, invoke, Some("a"), false),
            ("GET", "/functions/a/manifest", Endpoint::Manifest, invoke, Some("a"), false),
            ("POST", "/functions", Endpoint::Functions, deploy, None, true),
            ("PUT", "/functions/a", Endpoint::Function, deploy, Some("a"), true),
            ("DELETE", "/functions/a", Endpoint::Function, deploy, Some("a"), true),
            ("PUT", "/functions/a/manifest", Endpoint::Manifest, deploy, Some("a"), true),
            ("POST", "/functions/a/rollback", Endpoint::Rollback, deploy, Some("a"), true),
            ("PATCH", "/functions/a", Endpoint::Function, deploy, Some("a"), true),
            ("BREW", "/functions/a", Endpoint::Function, deploy, Some("a"), true),
            ("GET", "/invocations", Endpoint::Invocations, invoke, None, false),
            ("GET", "/invocations/0190", Endpoint::Invocation, invoke, None, false),
            ("GET", "/metrics", Endpoint::Metrics, operate, None, false),
            ("GET", "/energy", Endpoint::Energy, operate, None, false),
            ("GET", "/usage", Endpoint::Usage, operate, None, false),
            ("GET", "/events", Endpoint::Events, operate, None, false),
            ("POST", "/events", Endpoint::Events, operate, None, true),
            ("GET", "/a", Endpoint::Nothing, invoke, None, false),
            ("POST", "/shop/cart", Endpoint::Nothing, invoke, None, false),
            ("GET", "/%66unctions/a", Endpoint::Nothing, invoke, None, false),
            ("OPTIONS", "*", Endpoint::Page, invoke, None, false),
        ] {
            let route = of(method, path);
            assert_eq!((route.endpoint, route.need()), (endpoint, Need { role, function, changes }), "{method} {path}");
        }
    }

    #[test]
    fn unlisted_paths_below_reserved_words_are_for_operators() {
        for own in OWN_PATHS {
            let is_open = |path: &str| of("GET", path).endpoint != Endpoint::Reserved;
            let below = format!("/{own}/nobody/thought/of/it");
            assert_eq!(
                is_open(&below),
                ["_page", "api", "fn", "invocations", "invoke", "wasm"].contains(&own),
                "{below}"
            );
        }
        for alone in ["/api", "/fn", "/invoke", "/wasm", "/_page", "/functions/a/b", "/metrics/x"] {
            assert_eq!(of("GET", alone).need().role, Some(Role::Operate), "{alone}");
        }
        assert!(of("POST", "/metrics").need().changes);
    }

    #[test]
    fn endpoints_and_reserved_words_match() {
        let mut own = BTreeSet::new();
        for endpoint in Endpoint::ALL.iter().filter(|endpoint| !endpoint.path().is_empty()) {
            let path = endpoint.path().replace(['{', '}'], "");
            if *endpoint != Endpoint::Named {
                assert_eq!(of("GET", &path).endpoint, *endpoint, "{path}");
                own.insert(first_segment(&path[1..]).to_owned());
            }
        }
        own.remove("");
        assert_eq!(own, OWN_PATHS.map(str::to_owned).into());
    }

    #[test]
    fn the_api_description_lists_exactly_the_endpoints() {
        let document: serde_json::Value = serde_json::from_str(nebula_api::openapi::JSON).unwrap();
        let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let served: BTreeSet<_> =
            Endpoint::ALL.iter().map(|endpoint| endpoint.path()).filter(|path| !path.is_empty()).collect();
        // The last part of these may be left out.
        let shorter: BTreeSet<_> = ["/api/{function}", "/wasm/{function}", "/fn/{function}"].into();
        assert_eq!(described, served.union(&shorter).copied().collect());
    }

    #[test]
    fn the_rest_of_the_path_is_left_to_the_endpoint() {
        for (path, script, rest) in [
            ("/_page/main.js", "/_page/", "main.js"),
            ("/api/a/1/2", "/api/a", "/1/2"),
            ("/fn/a%62", "/fn/a%62", ""),
            ("/fn/a/b//c", "/fn/a", "/b//c"),
            ("/invocations/0190", "/invocations/", "0190"),
        ] {
            assert_eq!(of("GET", path).mount(path), (script, rest), "{path}");
        }
    }

    #[test]
    fn only_the_endpoints_methods_are_allowed() {
        let allowed = |method: &str, path| of(method, path).check_method(&method.parse().unwrap()).is_ok();
        for (method, path) in
            [("GET", "/"), ("HEAD", "/"), ("POST", "/invoke/a"), ("BREW", "/fn/a"), ("PUT", "/functions/a")]
        {
            assert!(allowed(method, path), "{method} {path}");
        }
        for (method, path) in [("POST", "/"), ("PUT", "/invoke/a"), ("GET", "/api/wasm"), ("POST", "/functions")] {
            assert!(!allowed(method, path), "{method} {path}");
        }
    }
}
