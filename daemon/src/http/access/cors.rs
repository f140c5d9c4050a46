//! Cross-origin resource sharing: which web pages may read answers.
//!
//! Credentials that a browser adds by itself (cookies) are never allowed, since nothing here depends on them. A token is a
//! header that the page sets itself. Source: WHATWG Fetch, section "HTTP CORS protocol".

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, StatusCode};

use crate::http::Response;
use crate::http::answer::body::whole;
use crate::http::answer::headers::EXPOSED;
use crate::http::settings::Origins;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// Ten minutes, so that browsers soon notice a new configuration.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// What the answer to a request says about origins.
pub enum CorsPolicy {
    /// Nothing: no origins are configured.
    Silent,
    /// Another origin would get another answer.
    Varies,
    /// This origin may read it.
    Allows(HeaderValue),
}

impl CorsPolicy {
    pub fn for_request(headers: &HeaderMap, origins: &Origins) -> Self {
        let origin = headers.get(ORIGIN);
        match (origins, origin) {
            (Origins::Own, _) => Self::Silent,
            (Origins::Any, Some(_)) => Self::Allows(HeaderValue::from_static("*")),
            (Origins::Listed(listed), Some(origin))
                if listed.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())) =>
            {
                Self::Allows(origin.clone())
            }
            (Origins::Any | Origins::Listed(_), _) => Self::Varies,
        }
    }

    /// Leaves the answer alone if the function has set a policy itself.
    pub fn apply(self, response: &mut Response) {
        let headers = response.headers_mut();
        if matches!(self, Self::Silent) || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        headers.append(VARY, VARY_ORIGIN);
        if let Self::Allows(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
        }
    }

    /// The answer to a browser's preflight request. `None` for other requests, and for origins that are not allowed: then
    /// the function may answer. Preflight requests carry no token.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        let headers = request.headers();
        let is_preflight = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let Self::Allows(origin) = self else { return None };
        if !is_preflight {
            return None;
        }
        let mut response = Response::new(whole(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answered = response.headers_mut();
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answered.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        // A `*` would not include `authorization`.
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answered.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        answered.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        answered.insert(VARY, VARY_PREFLIGHT);
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(origin: Option<&'static str>, headers: &[(&'static str, &'static str)]) -> Request<()> {
        let request = Request::options("/fn/a");
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap()
    }

    fn answered(origins: &Origins, origin: Option<&'static str>, own: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut response = Response::new(whole(""));
        for (name, value) in own {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        CorsPolicy::for_request(asked(origin, &[]).headers(), origins).apply(&mut response);
        response.headers().clone()
    }

    fn listed() -> Origins {
        Origins::Listed(vec!["https://a.example".into()])
    }

    #[test]
    fn answers_name_the_origin_that_may_read_them() {
        let (a, b) = (Some("https://a.example"), Some("https://b.example"));
        for (origins, origin, allowed, varies) in [
            (Origins::Own, a, None, false),
            (Origins::Own, None, None, false),
            (Origins::Any, a, Some("*"), true),
            (Origins::Any, None, None, true),
            (listed(), a, a, true),
            (listed(), b, None, true),
            (listed(), None, None, true),
        ] {
            let headers = answered(&origins, origin, &[]);
            let said = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap());
            assert_eq!((said, headers.contains_key(VARY)), (allowed, varies), "{origins:?} {origin:?}");
            let exposed = headers.get(ACCESS_CONTROL_EXPOSE_HEADERS).map(|value| value.to_str().unwrap());
            assert_eq!(exposed.is_some_and(|exposed| exposed.contains("nebula-energy-joules")), allowed.is_some());
            assert!(!headers.contains_key("access-control-allow-credentials"));
        }
    }

    #[test]
    fn a_functions_own_cors_policy_is_kept() {
        let own = [("access-control-allow-origin", "https://its.own"), ("vary", "accept")];
        let headers = answered(&listed(), Some("https://a.example"), &own);
        assert_eq!(headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect::<Vec<_>>(), ["https://its.own"]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept"]);
        let headers = answered(&listed(), Some("https://a.example"), &[("vary", "accept")]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept", "origin"]);
    }

    #[test]
    fn preflight_requests_of_allowed_origins_are_answered() {
        let asks = [("access-control-request-method", "PUT"), ("access-control-request-headers", "authorization")];
        let preflight = |origins: &Origins, origin, headers: &[(&'static str, &'static str)]| {
            let request = asked(origin, headers);
            CorsPolicy::for_request(request.headers(), origins).preflight(&request)
        };
        let response = preflight(&listed(), Some("https://a.example"), &asks).unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        for (name, value) in [
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            ("access-control-allow-headers", "authorization"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        assert!(response.headers()["vary"].to_str().unwrap().starts_with("origin"));
        assert_eq!(
            preflight(&Origins::Any, Some("https://b.example"), &asks).unwrap().headers()["access-control-allow-origin"],
            "*"
        );
        assert!(preflight(&listed(), Some("https://b.example"), &asks).is_none());
        assert!(preflight(&listed(), Some("https://a.example"), &[]).is_none());
        assert!(preflight(&listed(), None, &asks).is_none());
        assert!(preflight(&Origins::Own, Some("https://a.example"), &asks).is_none());
    }
}
