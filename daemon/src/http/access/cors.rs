//! What browsers are told about pages of other origins: that they may use the answers, where they may.
//!
//! Credentials that a browser adds on its own (cookies) are never allowed: nothing here is decided by them. A token is a
//! header of the page's own making, which it may send. Source: WHATWG Fetch, section "HTTP CORS protocol".

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, StatusCode};

use super::settings::Origins;
use crate::http::Response;
use crate::http::answer::body::Reply;
use crate::http::answer::headers::EXPOSED;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// Ten minutes: what is allowed changes with a restart only, and the browser of whoever changes it should soon know.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// What the answer to a request has to say of origins.
pub enum Told {
    /// Nothing: origins are no matter here.
    Nothing,
    /// That it would be another for another origin.
    Varies,
    /// That this one may use it.
    Allows(HeaderValue),
}

impl Told {
    /// What is told to whoever sent these.
    pub fn to(headers: &HeaderMap, origins: &Origins) -> Self {
        let origin = headers.get(ORIGIN);
        match (origins, origin) {
            (Origins::Own, _) => Self::Nothing,
            (Origins::Any, Some(_)) => Self::Allows(HeaderValue::from_static("*")),
            (Origins::Listed(listed), Some(origin))
                if listed.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())) =>
            {
                Self::Allows(origin.clone())
            }
            (Origins::Any | Origins::Listed(_), _) => Self::Varies,
        }
    }

    /// Says so in an answer, unless a function has spoken for itself.
    pub fn tell(self, response: &mut Response) {
        let headers = response.headers_mut();
        if matches!(self, Self::Nothing) || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        headers.append(VARY, VARY_ORIGIN);
        if let Self::Allows(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
        }
    }
}

/// The answer to a browser that asks whether a page may send what it wants to. `None` where it does not ask, or comes from
/// an origin that is not ours to speak of: then the function that is asked may answer. No token comes with the question.
pub fn preflight<B>(request: &Request<B>, told: &Told) -> Option<Response> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let Told::Allows(origin) = told else { return None };
    if !asks {
        return None;
    }
    let mut response = Response::new(Reply::from(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answered = response.headers_mut();
    answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answered.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    // A `*` would not stand for `authorization`.
    if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answered.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    answered.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    answered.insert(VARY, VARY_PREFLIGHT);
    Some(response)
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
        let mut response = Response::new(Reply::from(bytes::Bytes::new()));
        for (name, value) in own {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        Told::to(asked(origin, &[]).headers(), origins).tell(&mut response);
        response.headers().clone()
    }

    fn listed() -> Origins {
        Origins::Listed(vec!["https://a.example".into()])
    }

    #[test]
    fn answers_say_which_origin_may_use_them() {
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
    fn a_function_that_speaks_for_itself_is_not_contradicted() {
        let own = [("access-control-allow-origin", "https://its.own"), ("vary", "accept")];
        let headers = answered(&listed(), Some("https://a.example"), &own);
        assert_eq!(headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect::<Vec<_>>(), ["https://its.own"]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept"]);
        let headers = answered(&listed(), Some("https://a.example"), &[("vary", "accept")]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["accept", "origin"]);
    }

    #[test]
    fn browsers_that_ask_are_answered_where_the_origin_is_ours_to_speak_of() {
        let asks = [("access-control-request-method", "PUT"), ("access-control-request-headers", "authorization")];
        let answer = |origins: &Origins, origin, headers: &[(&'static str, &'static str)]| {
            let request = asked(origin, headers);
            preflight(&request, &Told::to(request.headers(), origins))
        };
        let response = answer(&listed(), Some("https://a.example"), &asks).unwrap();
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
            answer(&Origins::Any, Some("https://b.example"), &asks).unwrap().headers()["access-control-allow-origin"],
            "*"
        );
        assert!(answer(&listed(), Some("https://b.example"), &asks).is_none());
        assert!(answer(&listed(), Some("https://a.example"), &[]).is_none());
        assert!(answer(&listed(), None, &asks).is_none());
        assert!(answer(&Origins::Own, Some("https://a.example"), &asks).is_none());
    }
}
