//! Cross-site request forgery: changes that a web page makes without its viewer's knowledge.
//!
//! A browser sends requests to loopback for any page. With everything but plain reading it says which origin the page has
//! (`Origin`), so that even a daemon that needs no token can refuse. A page whose host name was made to lead to 127.0.0.1
//! (DNS rebinding) has the daemon's origin as far as its browser knows, but its requests carry that name as `Host`. Pages
//! that functions answer have the daemon's origin too; [`super::page_key`] tells them apart.
//!
//! Source: RFC 6454; WHATWG Fetch, section "`Origin` header"; OWASP, "Cross-Site Request Forgery Prevention".

use std::net::IpAddr;

use hyper::Request;
use hyper::header::ORIGIN;
use hyper::http::uri::Authority;

use crate::http::answer::denied::Denied;
use crate::http::request::authority;
use crate::http::settings::Origins;

/// What is known of the sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Sent a token, which browsers do not do by themselves.
    WithToken,
    /// The daemon's own page.
    OurPage,
    Anybody,
}

/// Refuses a change that some other web page may have sent.
pub fn check<B>(request: &Request<B>, origins: &Origins, is_local: bool, sender: Sender) -> Result<(), Denied> {
    let (host, has_token) = (authority(request.uri(), request.headers()), sender == Sender::WithToken);
    let origin = request.headers().get(ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let is_listed = origin.as_ref().is_some_and(|origin| match origins {
        Origins::Own => false,
        Origins::Any => has_token,
        Origins::Listed(listed) => listed.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
    });
    let unlisted = origin.filter(|_| !is_listed);
    if let Some(foreign) = unlisted.as_ref().filter(|origin| !is_own(origin, host.as_ref())) {
        return Err(Denied::ForeignOrigin(foreign.chars().take(100).collect()));
    }
    match host {
        Some(host) if is_local && !has_token && !is_of_this_machine(host.host()) => {
            Err(Denied::ForeignHost(host.host().into()))
        }
        _ if unlisted.is_some() && sender == Sender::Anybody => Err(Denied::NotOurPage),
        // Every browser sends a host; a request without one is a program's.
        _ => Ok(()),
    }
}

/// Whether a page's origin is the host that its request goes to. Schemes may differ: a proxy may speak TLS for us.
fn is_own(origin: &str, host: Option<&Authority>) -> bool {
    let (Some((scheme, origin)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let Ok(origin) = Authority::try_from(origin) else { return false };
    let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host)
}

/// Whether a host name means this machine wherever it is resolved. Source: RFC 6761, section 6.3, on `localhost`.
fn is_of_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback()) || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use hyper::header::HOST;

    use super::Sender::{Anybody, OurPage, WithToken as Known};
    use super::*;

    fn checked(host: &str, origin: Option<&str>, origins: &Origins, sender: Sender) -> Result<(), Denied> {
        let request = Request::put("/functions/a").header(HOST, host);
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        check(&request.body(()).unwrap(), origins, true, sender)
    }

    #[test]
    fn only_our_page_and_listed_origins_may_make_changes() {
        let foreign = |origin: &str| Err(Denied::ForeignOrigin(origin.into()));
        let listed = Origins::Listed(vec!["https://a.example".into()]);
        for (host, origin, origins, sender, expected) in [
            ("localhost:8080", None, &Origins::Own, Anybody, Ok(())),
            ("localhost:8080", Some("http://localhost:8080"), &Origins::Own, OurPage, Ok(())),
            ("localhost:8080", Some("http://localhost:8080"), &Origins::Own, Known, Ok(())),
            ("localhost:8080", Some("http://localhost:8080"), &Origins::Own, Anybody, Err(Denied::NotOurPage)),
            ("localhost", Some("http://LOCALHOST:80"), &Origins::Own, OurPage, Ok(())),
            ("localhost", Some("https://localhost"), &Origins::Own, OurPage, Ok(())),
            ("localhost:443", Some("https://localhost"), &Origins::Own, OurPage, Ok(())),
            ("localhost:8080", Some("http://localhost:3000"), &Origins::Own, OurPage, foreign("http://localhost:3000")),
            ("localhost:8080", Some("http://localhost"), &Origins::Own, Anybody, foreign("http://localhost")),
            ("127.0.0.1:8080", Some("https://evil.example"), &Origins::Own, Anybody, foreign("https://evil.example")),
            ("127.0.0.1:8080", Some("null"), &Origins::Own, Anybody, foreign("null")),
            ("127.0.0.1:8080", Some(""), &Origins::Own, Known, foreign("")),
            ("127.0.0.1:8080", Some("https://a.example"), &listed, Anybody, Ok(())),
            ("127.0.0.1:8080", Some("https://b.example"), &listed, Known, foreign("https://b.example")),
            ("127.0.0.1:8080", Some("https://a.example"), &Origins::Any, Anybody, foreign("https://a.example")),
            ("127.0.0.1:8080", Some("https://a.example"), &Origins::Any, OurPage, foreign("https://a.example")),
            ("127.0.0.1:8080", Some("https://a.example"), &Origins::Any, Known, Ok(())),
        ] {
            assert_eq!(checked(host, origin, origins, sender), expected, "{host} {origin:?} {origins:?} {sender:?}");
        }
    }

    #[test]
    fn a_foreign_host_name_is_refused_on_loopback() {
        for ours in
            ["localhost", "Localhost:8080", "localhost.:1", "x.localhost", "127.0.0.1:8080", "127.7.7.7", "[::1]:1"]
        {
            assert_eq!(checked(ours, None, &Origins::Own, Anybody), Ok(()), "{ours}");
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
            let as_our_page = checked(other, Some(&own), &Origins::Own, OurPage);
            assert!(matches!(as_our_page, Err(Denied::ForeignHost(_))), "{other}");
            assert!(matches!(checked(other, None, &Origins::Own, Anybody), Err(Denied::ForeignHost(_))), "{other}");
            assert_eq!(checked(other, Some(&own), &Origins::Own, Known), Ok(()), "{other}");
        }
        let elsewhere = Request::put("/functions/a").header(HOST, "shop.example").body(()).unwrap();
        assert_eq!(check(&elsewhere, &Origins::Own, false, Anybody), Ok(()));
        let http2 = Request::put("http://evil.example/functions/a").body(()).unwrap();
        assert!(check(&http2, &Origins::Own, true, Anybody).is_err());
    }
}
