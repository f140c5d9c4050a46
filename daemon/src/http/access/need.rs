//! What is needed for which request: the one table of it.
//!
//! Paths are split as the router splits them. What begins with a word of the daemon's own and is not in the table needs the
//! highest role, so that a route nobody thought of here is closed and not open.

use hyper::Method;

use super::role::Role;
use crate::functions::OWN_PATHS;

/// What is needed for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'p> {
    /// The role; `None` where nobody is asked.
    pub role: Option<Role>,
    /// Which function it is about.
    pub function: Named<'p>,
    /// Whether it changes what the daemon serves.
    pub changes: bool,
}

/// Which function a request is about, as far as its path tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'p> {
    /// None in particular, or one that the body names: whoever reads it there asks [`super::Visitor::to_function`].
    Nobody,
    /// That of this name, with its escapes.
    Path(&'p str),
    /// The one whose route it is.
    Route,
}

impl<'p> Need<'p> {
    /// What is needed for a request of this method for this path.
    pub fn of(method: &Method, path: &'p str) -> Self {
        let below = path.get(1..).unwrap_or_default();
        let (first, rest) = match below.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (below, None),
        };
        let named = |rest: &'p str| Named::Path(rest.split('/').next().unwrap_or_default());
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let need = |role, function, changes| Self { role: Some(role), function, changes };
        match (first, rest) {
            ("healthz" | "readyz", None) => Self { role: None, function: Named::Nobody, changes: false },
            ("" | "openapi.json" | "invocations", None) | ("invocations", Some(_)) => {
                need(Role::Invoke, Named::Nobody, false)
            }
            // The form names the function in its body.
            ("api", Some("wasm")) => need(Role::Invoke, Named::Nobody, false),
            ("invoke" | "api" | "wasm" | "fn", Some(rest)) => need(Role::Invoke, named(rest), false),
            ("functions", None) if reads => need(Role::Invoke, Named::Nobody, false),
            ("functions", None) => need(Role::Deploy, Named::Nobody, true),
            ("functions", Some(rest)) if reads => need(Role::Invoke, named(rest), false),
            ("functions", Some(rest)) => need(Role::Deploy, named(rest), true),
            ("metrics" | "energy" | "usage" | "events", None) if reads => need(Role::Operate, Named::Nobody, false),
            (own, _) if OWN_PATHS.contains(&own) => need(Role::Operate, Named::Nobody, !reads),
            _ => need(Role::Invoke, Named::Route, false),
        }
    }

    /// Whether it is for those who manage the daemon.
    pub fn is_management(&self) -> bool {
        self.role > Some(Role::Invoke)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_needs_what_it_should() {
        use Named::{Nobody, Path, Route};
        let (invoke, deploy, operate) = (Some(Role::Invoke), Some(Role::Deploy), Some(Role::Operate));
        for (method, path, role, function, changes) in [
            ("GET", "/", invoke, Nobody, false),
            ("GET", "/healthz", None, Nobody, false),
            ("GET", "/readyz", None, Nobody, false),
            ("GET", "/openapi.json", invoke, Nobody, false),
            ("GET", "/invoke/a", invoke, Path("a"), false),
            ("POST", "/invoke/a%20b", invoke, Path("a%20b"), false),
            ("GET", "/api/a/12", invoke, Path("a"), false),
            ("POST", "/wasm/a/", invoke, Path("a"), false),
            ("POST", "/api/wasm", invoke, Nobody, false),
            ("DELETE", "/fn/a/b/c", invoke, Path("a"), false),
            ("GET", "/fn/a", invoke, Path("a"), false),
            ("GET", "/functions", invoke, Nobody, false),
            ("HEAD", "/functions/a", invoke, Path("a"), false),
            ("GET", "/functions/a/manifest", invoke, Path("a"), false),
            ("POST", "/functions", deploy, Nobody, true),
            ("PUT", "/functions/a", deploy, Path("a"), true),
            ("DELETE", "/functions/a", deploy, Path("a"), true),
            ("PUT", "/functions/a/manifest", deploy, Path("a"), true),
            ("POST", "/functions/a/rollback", deploy, Path("a"), true),
            ("PATCH", "/functions/a", deploy, Path("a"), true),
            ("BREW", "/functions/a", deploy, Path("a"), true),
            ("GET", "/invocations", invoke, Nobody, false),
            ("GET", "/invocations/0190", invoke, Nobody, false),
            ("GET", "/metrics", operate, Nobody, false),
            ("GET", "/energy", operate, Nobody, false),
            ("GET", "/usage", operate, Nobody, false),
            ("GET", "/events", operate, Nobody, false),
            ("POST", "/events", operate, Nobody, true),
            ("GET", "/a", invoke, Route, false),
            ("POST", "/shop/cart", invoke, Route, false),
            ("GET", "/%66unctions/a", invoke, Route, false),
            ("OPTIONS", "*", invoke, Nobody, false),
        ] {
            let expected = Need { role, function, changes };
            assert_eq!(Need::of(&method.parse().unwrap(), path), expected, "{method} {path}");
        }
    }

    #[test]
    fn what_is_the_daemons_own_and_in_no_table_needs_the_highest_role() {
        for own in OWN_PATHS {
            for below in ["/nobody/thought/of", "/x"] {
                let path = format!("/{own}{below}");
                let known = matches!(own, "api" | "fn" | "functions" | "invocations" | "invoke" | "wasm");
                let role = if known { Role::Invoke } else { Role::Operate };
                assert_eq!(Need::of(&Method::GET, &path).role, Some(role), "{path}");
            }
        }
        for alone in ["/api", "/fn", "/invoke", "/wasm"] {
            assert_eq!(Need::of(&Method::GET, alone).role, Some(Role::Operate), "{alone}");
        }
        assert!(Need::of(&Method::POST, "/metrics").changes);
    }

    #[test]
    fn management_is_what_callers_have_no_part_in() {
        let is_management = |method: Method, path: &str| Need::of(&method, path).is_management();
        assert!(is_management(Method::PUT, "/functions/a") && is_management(Method::GET, "/metrics"));
        assert!(!is_management(Method::GET, "/functions/a") && !is_management(Method::GET, "/healthz"));
    }
}
