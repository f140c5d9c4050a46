//! Requests that a page in somebody's browser has sent, without their knowing.
//!
//! A browser sends to loopback what any page asks it to. It says which page that was (`Origin`, with everything but plain reading),
//! and so a daemon that asks for no token can tell. A page whose own host name is made to lead to 127.0.0.1 is of the same origin
//! as the daemon, for its browser; but then the request carries that name as `Host`.
//!
//! Source: RFC 6454; WHATWG Fetch, section "`Origin` header"; OWASP, "Cross-Site Request Forgery Prevention".

use std::net::IpAddr;

use hyper::Request;
use hyper::header::{HOST, ORIGIN};
use hyper::http::uri::Authority;

use super::denied::Denied;
use crate::config::Origins;

/// Whether a request may change something, as far as the page is concerned that sent it. `known` is whether its sender is:
/// browsers do not add tokens on their own.
pub fn check<B>(request: &Request<B>, origins: &Origins, loopback: bool, known: bool) -> Result<(), Denied> {
    let host = authority(request);
    if let Some(origin) = request.headers().get(ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let listed = match origins {
            Origins::Own => false,
            Origins::Any => known,
            Origins::Listed(listed) => listed.iter().any(|listed| listed.eq_ignore_ascii_case(&origin)),
        };
        if !listed && !is_own(&origin, host.as_ref()) {
            return Err(Denied::ForeignOrigin(origin.chars().take(100).collect()));
        }
    }
    match host {
        Some(host) if loopback && !known && !is_of_this_machine(host.host()) => {
            Err(Denied::ForeignHost(host.host().into()))
        }
        // No browser leaves it out.
        _ => Ok(()),
    }
}

/// What the request is directed at. Source: RFC 9112, section 3.2.2.
fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let host = || request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    request.uri().authority().cloned().or_else(host)
}

/// Whether a page of this origin came from the host it now asks. The scheme is not compared: a proxy may have taken TLS off.
fn is_own(origin: &str, host: Option<&Authority>) -> bool {
    let (Some((scheme, origin)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let Ok(origin) = Authority::try_from(origin) else { return false };
    let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
}

/// Whether a name leads to this machine wherever it is asked. Source: RFC 6761, section 6.3, on `localhost`.
fn is_of_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback()) || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str, origin: Option<&str>, origins: &Origins, known: bool) -> Result<(), Denied> {
        let request = Request::put("/functions/a").header(HOST, host);
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        check(&request.body(()).unwrap(), origins, true, known)
    }

    #[test]
    fn only_own_pages_and_those_that_are_listed_may_change_something() {
        let foreign = |origin: &str| Err(Denied::ForeignOrigin(origin.into()));
        let listed = Origins::Listed(vec!["https://a.example".into()]);
        for (host, origin, origins, known, expected) in [
            ("localhost:8080", None, &Origins::Own, false, Ok(())),
            ("localhost:8080", Some("http://localhost:8080"), &Origins::Own, false, Ok(())),
            ("localhost", Some("http://LOCALHOST:80"), &Origins::Own, false, Ok(())),
            ("localhost", Some("https://localhost"), &Origins::Own, false, Ok(())),
            ("localhost:443", Some("https://localhost"), &Origins::Own, false, Ok(())),
            ("localhost:8080", Some("http://localhost:3000"), &Origins::Own, false, foreign("http://localhost:3000")),
            ("localhost:8080", Some("http://localhost"), &Origins::Own, false, foreign("http://localhost")),
            ("127.0.0.1:8080", Some("https://evil.example"), &Origins::Own, false, foreign("https://evil.example")),
            ("127.0.0.1:8080", Some("null"), &Origins::Own, false, foreign("null")),
            ("127.0.0.1:8080", Some(""), &Origins::Own, true, foreign("")),
            ("127.0.0.1:8080", Some("https://a.example"), &listed, false, Ok(())),
            ("127.0.0.1:8080", Some("https://b.example"), &listed, true, foreign("https://b.example")),
            ("127.0.0.1:8080", Some("https://a.example"), &Origins::Any, false, foreign("https://a.example")),
            ("127.0.0.1:8080", Some("https://a.example"), &Origins::Any, true, Ok(())),
        ] {
            assert_eq!(checked(host, origin, origins, known), expected, "{host} {origin:?} {origins:?} {known}");
        }
    }

    #[test]
    fn a_name_that_leads_here_and_is_not_ours_is_not_believed() {
        for ours in
            ["localhost", "Localhost:8080", "localhost.:1", "x.localhost", "127.0.0.1:8080", "127.7.7.7", "[::1]:1"]
        {
            assert_eq!(checked(ours, None, &Origins::Own, false), Ok(()), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "notlocalhost",
        ] {
            let own = format!("http://{other}");
            assert!(matches!(checked(other, Some(&own), &Origins::Own, false), Err(Denied::ForeignHost(_))), "{other}");
            assert_eq!(checked(other, Some(&own), &Origins::Own, true), Ok(()), "a token is no page's: {other}");
        }
        let elsewhere = Request::put("/functions/a").header(HOST, "shop.example").body(()).unwrap();
        assert_eq!(check(&elsewhere, &Origins::Own, false, false), Ok(()));
        let http2 = Request::put("http://evil.example/functions/a").body(()).unwrap();
        assert!(check(&http2, &Origins::Own, true, false).is_err());
    }
}
