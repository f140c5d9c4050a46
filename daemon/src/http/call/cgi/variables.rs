//! The environment variables that describe a request to a program.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};

use super::is_hop_by_hop;
use super::path::PathInfo;
use crate::http::request::{Peers, authority};

#[derive(Clone, Copy, Debug)]
pub struct CgiRequest<'a> {
    pub head: &'a Parts,
    /// The function's own path: `/fn/NAME`, or its route.
    pub script: &'a str,
    pub path: &'a PathInfo,
    /// Length of the body in bytes.
    pub body: usize,
    pub peers: Peers,
    /// The name of the sender's token.
    pub user: Option<&'a str>,
}

/// The variables of a request; each name occurs once.
///
/// `PATH_TRANSLATED` is missing because no directory of documents belongs to a path, and `REMOTE_IDENT` because no client
/// runs an ident service any more. `AUTH_TYPE` and `REMOTE_USER` are set if the client sent a token.
///
/// Source: RFC 3875, section 4.1. `REQUEST_URI` and `HTTPS` are customary additions of web servers.
pub fn variables(call: &CgiRequest<'_>) -> Vec<(String, String)> {
    let CgiRequest { head, script, path, body, peers: Peers { remote, local, https }, user } = *call;
    let authority = authority(&head.uri, &head.headers);
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| str::from_utf8(value.as_bytes()).ok());
    let remote = remote.ip().to_canonical().to_string();
    let uri = head.uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let own = [
        ("GATEWAY_INTERFACE", Some("CGI/1.1".into())),
        ("SERVER_SOFTWARE", Some(concat!("nebula/", env!("CARGO_PKG_VERSION")).into())),
        ("SERVER_PROTOCOL", Some(format!("{:?}", head.version))),
        ("SERVER_NAME", Some(server_name(authority.as_ref(), local.ip()))),
        ("SERVER_PORT", Some(local.port().to_string())),
        ("REQUEST_METHOD", Some(head.method.to_string())),
        ("REQUEST_URI", Some(uri.into())),
        ("SCRIPT_NAME", Some(script.into())),
        ("PATH_INFO", Some(path.as_str()).filter(|path| !path.is_empty()).map(Into::into)),
        ("QUERY_STRING", Some(head.uri.query().unwrap_or_default().into())),
        ("REMOTE_ADDR", Some(remote.clone())),
        ("REMOTE_HOST", Some(remote)),
        ("AUTH_TYPE", user.map(|_| "Bearer".into())),
        ("REMOTE_USER", user.map(Into::into)),
        ("CONTENT_TYPE", content_type.map(Into::into)),
        ("CONTENT_LENGTH", (body > 0).then(|| body.to_string())),
        ("HTTPS", https.then(|| "on".into())),
        ("HTTP_HOST", head.uri.authority().and(authority.as_ref()).map(without_user)),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let passed_on = |name: &&HeaderName| is_passed_on(name) && !(*name == HOST && head.uri.authority().is_some());
    let fields = head.headers.keys().filter(passed_on);
    own.chain(fields.filter_map(|name| Some((variable(name), joined(&head.headers, name)?)))).collect()
}

/// The host that the request names, or else the local address. An IPv6 address is in brackets.
fn server_name(authority: Option<&Authority>, local: IpAddr) -> String {
    match authority.map(Authority::host).filter(|host| !host.is_empty()) {
        Some(host) => host.into(),
        None => match local.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        },
    }
}

fn without_user(authority: &Authority) -> String {
    authority.as_str().rsplit('@').next().unwrap_or_default().into()
}

/// Whether a field becomes a variable.
///
/// The daemon checks credentials, so programs need not see them (RFC 3875, section 4.1.18). `Proxy` would become
/// `HTTP_PROXY`, from which many programs read their proxy (CVE-2016-5385). A name with `_` would become the same variable as
/// one with `-`, and could impersonate a field that a proxy in front of the daemon sets.
fn is_passed_on(name: &HeaderName) -> bool {
    let plain = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // These have variables of their own.
    let has_own = name == CONTENT_TYPE || name == CONTENT_LENGTH;
    plain && !has_own && name != AUTHORIZATION && name != "proxy" && !is_hop_by_hop(name.as_str())
}

/// Whether CGI defines this variable, so that a query must not set it.
pub fn is_reserved(name: &str) -> bool {
    match name {
        "AUTH_TYPE" | "CONTENT_LENGTH" | "CONTENT_TYPE" | "GATEWAY_INTERFACE" | "HTTPS" | "PATH_INFO"
        | "PATH_TRANSLATED" | "QUERY_STRING" | "REMOTE_ADDR" | "REMOTE_HOST" | "REMOTE_IDENT" | "REMOTE_PORT"
        | "REMOTE_USER" | "REQUEST_METHOD" | "REQUEST_URI" | "SCRIPT_NAME" | "SERVER_NAME" | "SERVER_PORT"
        | "SERVER_PROTOCOL" | "SERVER_SOFTWARE" => true,
        _ => name.starts_with("HTTP_"),
    }
}

fn variable(name: &HeaderName) -> String {
    format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// All values of a field, joined; `None` if one is not UTF-8, because the rest of the list would mislead.
///
/// Source: RFC 9110, section 5.3; RFC 6265, section 5.4, for `Cookie`, which HTTP/2 splits (RFC 9113, 8.2.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| str::from_utf8(value.as_bytes()).ok());
    let separator = if name == COOKIE { "; " } else { ", " };
    Some(values.collect::<Option<Vec<_>>>()?.join(separator))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hyper::http::request::Builder;
    use hyper::{Method, Request, Version};

    use super::*;

    fn passed(request: Builder, change: impl FnOnce(&mut CgiRequest<'_>)) -> BTreeMap<String, String> {
        passed_below("", request, change)
    }

    fn passed_below(
        path: &str,
        request: Builder,
        change: impl FnOnce(&mut CgiRequest<'_>),
    ) -> BTreeMap<String, String> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let (remote, local) = ("192.0.2.7:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
        let mut call = CgiRequest {
            head: &head,
            script: "/fn/shop",
            path: &PathInfo::parse(path).unwrap(),
            body: 0,
            peers: Peers { remote, local, https: false },
            user: None,
        };
        change(&mut call);
        let variables = variables(&call);
        let passed: BTreeMap<_, _> = variables.iter().cloned().collect();
        assert_eq!(passed.len(), variables.len(), "a variable is there twice: {variables:?}");
        passed
    }

    /// The variables of `GET /fn/shop`, and those in `more`.
    fn plain_and(more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let plain = [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("QUERY_STRING", ""),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("REMOTE_HOST", "192.0.2.7"),
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/fn/shop"),
            ("SCRIPT_NAME", "/fn/shop"),
            ("SERVER_NAME", "127.0.0.1"),
            ("SERVER_PORT", "8080"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", concat!("nebula/", env!("CARGO_PKG_VERSION"))),
        ];
        plain.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_part_of_a_request_has_its_variable() {
        assert_eq!(passed(Request::get("/fn/shop"), |_| ()), plain_and(&[]));
        let request = Request::post("/fn/shop/a%20b?k=v%20w&x")
            .header("Host", "shop.example:81")
            .header("Content-Type", "text/plain")
            .header("Content-Length", "999")
            .header("Accept", "text/html")
            .header("Accept", "*/*")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .header("X-Request-Id", "7");
        let passed = passed_below("/a%20b", request, |call| (call.body, call.peers.https) = (12, true));
        let expected = plain_and(&[
            ("CONTENT_LENGTH", "12"),
            ("CONTENT_TYPE", "text/plain"),
            ("HTTPS", "on"),
            ("HTTP_ACCEPT", "text/html, */*"),
            ("HTTP_COOKIE", "a=1; b=2"),
            ("HTTP_HOST", "shop.example:81"),
            ("HTTP_X_REQUEST_ID", "7"),
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "k=v%20w&x"),
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", "/fn/shop/a%20b?k=v%20w&x"),
            ("SERVER_NAME", "shop.example"),
        ]);
        assert_eq!(passed, expected);
    }

    #[test]
    fn credentials_and_connection_fields_are_withheld() {
        let connection = "Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade HTTP2-Settings Proxy-Connection";
        let others = "Authorization Proxy-Authorization Proxy Content-Length X_Forwarded_For X.Dot";
        for name in connection.split(' ').chain(others.split(' ')) {
            let passed = passed(Request::get("/").header(name, "1"), |_| ());
            assert!(passed.keys().all(|name| !name.starts_with("HTTP_")), "{name}: {passed:?}");
            assert!(!passed.contains_key("CONTENT_LENGTH"), "{name}");
        }
    }

    #[test]
    fn values_that_are_not_utf8_are_left_out() {
        let request = Request::get("/")
            .header("X-Name", "Löwe")
            .header("X-Bytes", "good")
            .header("X-Bytes", &b"\xff"[..])
            .header("Content-Type", &b"\xff"[..]);
        let passed = passed(request, |_| ());
        assert_eq!(passed["HTTP_X_NAME"], "Löwe");
        assert!(!passed.contains_key("HTTP_X_BYTES") && !passed.contains_key("CONTENT_TYPE"));
    }

    #[test]
    fn the_server_has_the_name_that_the_client_used() {
        let table = [
            ("/", Some("shop.example"), "shop.example", Some("shop.example")),
            ("/", Some("[2001:db8::1]:8080"), "[2001:db8::1]", Some("[2001:db8::1]:8080")),
            ("/", Some("not a host"), "127.0.0.1", Some("not a host")),
            ("/", Some(""), "127.0.0.1", Some("")),
            ("/", None, "127.0.0.1", None),
            ("http://shop.example:81/", Some("other.example"), "shop.example", Some("shop.example:81")),
            ("http://me:secret@shop.example/", None, "shop.example", Some("shop.example")),
        ];
        for (uri, host, name, expected_host) in table {
            let request = Request::get(uri);
            let request = host.into_iter().fold(request, |request, host| request.header("Host", host));
            let passed = passed(request, |_| ());
            assert_eq!(passed["SERVER_NAME"], name, "{uri} {host:?}");
            assert_eq!(passed.get("HTTP_HOST").map(String::as_str), expected_host, "{uri} {host:?}");
            assert_eq!(passed["REQUEST_URI"], "/");
        }
        let passed = passed(Request::get("/"), |call| call.peers.local = "[::1]:80".parse().unwrap());
        assert_eq!((passed["SERVER_NAME"].as_str(), passed["SERVER_PORT"].as_str()), ("[::1]", "80"));
    }

    #[test]
    fn the_connection_and_the_method_decide_and_not_the_uri() {
        let mapped = passed(Request::get("/"), |call| call.peers.remote = "[::ffff:192.0.2.9]:1".parse().unwrap());
        assert_eq!(mapped["REMOTE_ADDR"], "192.0.2.9");
        let http2 = passed(Request::get("https://shop.example/").version(Version::HTTP_2), |_| ());
        assert!(!http2.contains_key("HTTPS"));
        assert_eq!(http2["SERVER_PROTOCOL"], "HTTP/2.0");
        let options = passed(Request::builder().method(Method::OPTIONS).uri("*"), |_| ());
        assert_eq!((options["REQUEST_METHOD"].as_str(), options["REQUEST_URI"].as_str()), ("OPTIONS", "*"));
    }

    #[test]
    fn the_user_is_the_name_of_the_token() {
        let passed = passed(Request::get("/").header("Authorization", "Bearer x"), |call| call.user = Some("alice"));
        assert_eq!((passed["AUTH_TYPE"].as_str(), passed["REMOTE_USER"].as_str()), ("Bearer", "alice"));
        assert!(!passed.contains_key("HTTP_AUTHORIZATION"));
    }
}
