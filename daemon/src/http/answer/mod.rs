//! Builds answers: text, HTML, JSON and problems.

pub mod body;
pub mod costs;
pub mod denied;
pub mod energy;
pub mod exposure;
pub mod headers;
pub mod problem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use nebula_api::call::Output;
use nebula_api::problem::FailedCall;
use serde::Serialize;

use crate::http::Response;
use crate::http::answer::body::whole;
use crate::http::answer::headers::{CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN_OPENERS};
use crate::http::answer::problem::Problem;

/// Initial capacity in bytes. Most envelopes fit into it; a smaller buffer would be reallocated up to three times.
const JSON_TYPICAL: usize = 1024;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Scripts are files of the daemon, never inline, and connect to the daemon only.
const LIVE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// An answer that must not be cached, and whose type browsers must not guess.
pub fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A page without scripts. Its policy stops markup that a guest wrote from loading anything.
pub fn html(status: StatusCode, page: String) -> Response {
    let mut response = answer(status, HTML, page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}

/// A page with the scripts of the daemon.
pub fn live_html(status: StatusCode, page: String) -> Response {
    let mut response = html(status, page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, LIVE_POLICY);
    response.headers_mut().insert(CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN_OPENERS);
    response
}

pub fn json(status: StatusCode, content_type: HeaderValue, value: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(JSON_TYPICAL);
    // Cannot fail: every map has text keys, and writing to a `Vec` succeeds.
    let _ = serde_json::to_writer(&mut body, value);
    body.push(b'\n');
    answer(status, content_type, body)
}

/// Output as text if it is UTF-8, in base64 if not.
pub fn output(bytes: &[u8]) -> Output<'_> {
    std::str::from_utf8(bytes).map_or_else(|_| Output::Base64(STANDARD.encode(bytes)), |text| Output::Text(text.into()))
}

impl Problem {
    /// The `application/problem+json` answer, with the call that failed if one ran.
    pub fn response(&self, call: Option<FailedCall<'_>>) -> Response {
        let document = self.document(call);
        let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, PROBLEM, &document);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self {
            Self::MethodNotAllowed(allowed) => drop(headers.insert(ALLOW, HeaderValue::from_static(allowed))),
            Self::Denied(denied) => {
                drop(denied.challenge().map(|challenge| headers.insert(WWW_AUTHENTICATE, challenge)));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_output_is_in_base64() {
        assert_eq!(output(b"[0, 1]\n"), Output::Text("[0, 1]\n".into()));
        assert_eq!(output(&[0xff, 0x00]), Output::Base64("/wA=".into()));
    }
}
