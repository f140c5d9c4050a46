//! What a program is told of the request, as environment variables.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};

use super::is_hop_by_hop;
use super::path::PathInfo;
use crate::http::request::peers::Peers;

/// A request to a program.
#[derive(Clone, Copy, Debug)]
pub struct CgiRequest<'a> {
    /// Its method, URI, version and headers.
    pub head: &'a Parts,
    /// The function's own path: `/fn/NAME`, or its route.
    pub script: &'a str,
    /// The path below that.
    pub path: &'a PathInfo,
    /// Length of the body in bytes.
    pub body: usize,
    pub peers: Peers,
    /// The name of the sender's token.
    pub user: Option<&'a str>,
}

/// The variables that tell a program about its request, none of them twice.
///
/// Not among them: `PATH_TRANSLATED`, since no directory of documents belongs to a path; `REMOTE_IDENT`,
/// since nobody answers such questions any more. `AUTH_TYPE` and `REMOTE_USER` are there where the daemon knows who asks.
///
/// Source: RFC 3875, section 4.1; `REQUEST_URI` and `HTTPS` are what web servers add to it by custom.
#[must_use]
pub fn variables(call: &CgiRequest<'_>) -> Vec<(String, String)> {
    let CgiRequest { head, script, path, body, peers: Peers { remote, local, https }, user } = *call;
    let authority = authority(head);
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

/// What the request is directed at. A URI that says it, as those of HTTP/2 and of requests to proxies do, is believed
/// rather than `Host`.
///
/// Source: RFC 9112, section 3.2.2.
fn authority(head: &Parts) -> Option<Authority> {
    let host = || head.headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    head.uri.authority().cloned().or_else(host)
}

/// The name that the client used for this server, or else the address that it reached. An IPv6 address is in brackets.
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

/// Whether a program is told of this field.
///
/// Credentials are the daemon's to check and nobody's to see (RFC 3875, section 4.1.18). `Proxy` would become
/// `HTTP_PROXY`, by which many programs find their proxy (CVE-2016-5385). A name with `_` would become the variable of
/// another with `-`, and could stand for a field that a proxy in front of the daemon guards.
fn is_passed_on(name: &HeaderName) -> bool {
    let plain = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // These have variables of their own.
    let told = name == CONTENT_TYPE || name == CONTENT_LENGTH;
    plain && !told && name != AUTHORIZATION && name != "proxy" && !is_hop_by_hop(name.as_str())
}

/// Whether CGI gives this name a meaning, so that a query must not set it.
pub fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    ];
    name.starts_with("HTTP_") || NAMES.contains(&name)
}

fn variable(name: &HeaderName) -> String {
    format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// All values of a field as one, unless one of them is not UTF-8: a part of a list would mislead.
///
/// Source: RFC 9110, section 5.3; RFC 6265, section 5.4, for `Cookie`, which HTTP/2 takes apart (RFC 9113, 8.2.3).
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

    fn told(request: Builder, change: impl FnOnce(&mut CgiRequest<'_>)) -> BTreeMap<String, String> {
        told_below("", request, change)
    }

    fn told_below(path: &str, request: Builder, change: impl FnOnce(&mut CgiRequest<'_>)) -> BTreeMap<String, String> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let mut call = CgiRequest {
            head: &head,
            script: "/fn/shop",
            path: &PathInfo::parse(path).unwrap(),
            body: 0,
            peers: Peers {
                remote: "192.0.2.7:50000".parse().unwrap(),
                local: "127.0.0.1:8080".parse().unwrap(),
                https: false,
            },
            user: None,
        };
        change(&mut call);
        let variables = variables(&call);
        let told: BTreeMap<_, _> = variables.iter().cloned().collect();
        assert_eq!(told.len(), variables.len(), "a variable is there twice: {variables:?}");
        told
    }

    fn expect(told: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
        let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }

    const SOFTWARE: &str = concat!("nebula/", env!("CARGO_PKG_VERSION"));

    #[test]
    fn a_plain_request_is_told_with_what_must_be_there() {
        let told = told(Request::get("/fn/shop"), |_| ());
        let expected = [
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
            ("SERVER_SOFTWARE", SOFTWARE),
        ];
        expect(&told, &expected);
    }

    #[test]
    fn a_rich_request_is_told_in_full() {
        let request = Request::post("/fn/shop/a%20b?k=v%20w&x")
            .header("Host", "shop.example:81")
            .header("Content-Type", "text/plain")
            .header("Content-Length", "999")
            .header("Accept", "text/html")
            .header("Accept", "*/*")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .header("X-Request-Id", "7");
        let told = told_below("/a%20b", request, |call| (call.body, call.peers.https) = (12, true));
        let expected = [
            ("CONTENT_LENGTH", "12"),
            ("CONTENT_TYPE", "text/plain"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("HTTPS", "on"),
            ("HTTP_ACCEPT", "text/html, */*"),
            ("HTTP_COOKIE", "a=1; b=2"),
            ("HTTP_HOST", "shop.example:81"),
            ("HTTP_X_REQUEST_ID", "7"),
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "k=v%20w&x"),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("REMOTE_HOST", "192.0.2.7"),
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", "/fn/shop/a%20b?k=v%20w&x"),
            ("SCRIPT_NAME", "/fn/shop"),
            ("SERVER_NAME", "shop.example"),
            ("SERVER_PORT", "8080"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", SOFTWARE),
        ];
        expect(&told, &expected);
    }

    #[test]
    fn some_fields_are_told_to_nobody() {
        let withheld = [
            "Authorization",
            "Proxy-Authorization",
            "Proxy",
            "Proxy-Connection",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "HTTP2-Settings",
            "Content-Length",
            "X_Forwarded_For",
            "X.Dot",
        ];
        for name in withheld {
            let told = told(Request::get("/").header(name, "1"), |_| ());
            assert!(told.keys().all(|name| !name.starts_with("HTTP_")), "{name}: {told:?}");
            assert!(!told.contains_key("CONTENT_LENGTH"), "{name}");
        }
    }

    #[test]
    fn values_that_are_no_text_are_left_out() {
        let request = Request::get("/")
            .header("X-Name", "Löwe")
            .header("X-Bytes", "good")
            .header("X-Bytes", &b"\xff"[..])
            .header("Content-Type", &b"\xff"[..]);
        let told = told(request, |_| ());
        assert_eq!(told["HTTP_X_NAME"], "Löwe");
        assert!(!told.contains_key("HTTP_X_BYTES") && !told.contains_key("CONTENT_TYPE"));
    }

    #[test]
    fn the_server_is_called_what_the_client_calls_it() {
        let table = [
            ("/", Some("shop.example"), "shop.example", Some("shop.example")),
            ("/", Some("[2001:db8::1]:8080"), "[2001:db8::1]", Some("[2001:db8::1]:8080")),
            ("/", Some("not a host"), "127.0.0.1", Some("not a host")),
            ("/", Some(""), "127.0.0.1", Some("")),
            ("/", None, "127.0.0.1", None),
            ("http://shop.example:81/", Some("other.example"), "shop.example", Some("shop.example:81")),
            ("http://me:secret@shop.example/", None, "shop.example", Some("shop.example")),
        ];
        for (uri, host, name, told_host) in table {
            let request = Request::get(uri);
            let request = host.into_iter().fold(request, |request, host| request.header("Host", host));
            let told = told(request, |_| ());
            assert_eq!(told["SERVER_NAME"], name, "{uri} {host:?}");
            assert_eq!(told.get("HTTP_HOST").map(String::as_str), told_host, "{uri} {host:?}");
            assert_eq!(told["REQUEST_URI"], "/");
        }
        let told = told(Request::get("/"), |call| call.peers.local = "[::1]:80".parse().unwrap());
        assert_eq!((told["SERVER_NAME"].as_str(), told["SERVER_PORT"].as_str()), ("[::1]", "80"));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_written_as_ipv4() {
        let mapped = told(Request::get("/"), |call| call.peers.remote = "[::ffff:192.0.2.9]:1".parse().unwrap());
        assert_eq!(mapped["REMOTE_ADDR"], "192.0.2.9");
    }

    #[test]
    fn encryption_is_what_the_server_says_and_not_what_the_client_says() {
        let request = Request::get("https://shop.example/").version(Version::HTTP_2);
        let told = told(request, |_| ());
        assert!(!told.contains_key("HTTPS"));
        assert_eq!(told["SERVER_PROTOCOL"], "HTTP/2.0");
    }

    #[test]
    fn who_asks_is_told_where_the_daemon_knows_it() {
        let told = told(Request::get("/").header("Authorization", "Bearer x"), |call| call.user = Some("alice"));
        assert_eq!((told["AUTH_TYPE"].as_str(), told["REMOTE_USER"].as_str()), ("Bearer", "alice"));
        assert!(!told.contains_key("HTTP_AUTHORIZATION"));
    }

    #[test]
    fn any_method_is_told() {
        let told = told(Request::builder().method(Method::OPTIONS).uri("*"), |_| ());
        assert_eq!((told["REQUEST_METHOD"].as_str(), told["REQUEST_URI"].as_str()), ("OPTIONS", "*"));
    }
}
