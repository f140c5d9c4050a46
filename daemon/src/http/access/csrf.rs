//! Cross-site request forgery: changes that a web page makes without its viewer's knowledge.
//!
//! A browser sends requests to loopback for any page. With everything but plain reading it says which origin the page has
//! (`Origin`), so that even a daemon that needs no token can refuse. A page whose host name was made to lead to 127.0.0.1 has
//! the daemon's origin as far as its browser knows; [`super::rebinding`] refuses it. Pages that functions answer have the
//! daemon's origin too; [`super::page_key`] tells them apart.
//!
//! Source: RFC 6454; WHATWG Fetch, section "`Origin` header"; OWASP, "Cross-Site Request Forgery Prevention".

use hyper::Request;
use hyper::header::ORIGIN;

use crate::http::answer::denied::Denied;
use crate::http::host::Host;
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
pub fn check<B>(request: &Request<B>, origins: &Origins, sender: Sender) -> Result<(), Denied> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let is_listed = match origins {
        Origins::Own => false,
        Origins::Any => sender == Sender::WithToken,
        Origins::Listed(listed) => listed.iter().any(|listed| listed.eq_ignore_ascii_case(&origin)),
    };
    if is_listed {
        return Ok(());
    }
    if !is_own(&origin, Host::of(request.uri(), request.headers())) {
        return Err(Denied::ForeignOrigin(origin.chars().take(100).collect()));
    }
    if sender == Sender::Anybody { Err(Denied::NotOurPage) } else { Ok(()) }
}

/// Whether a page's origin is the host that its request goes to. Schemes may differ: a proxy may speak TLS for us.
fn is_own(origin: &str, host: Option<Host<'_>>) -> bool {
    let (Some((scheme, origin)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let Some(origin) = Host::parse(origin) else { return false };
    let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    origin.name.eq_ignore_ascii_case(host.name) && origin.port.unwrap_or(default) == host.port.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use hyper::header::HOST;

    use super::Sender::{Anybody, OurPage, WithToken as Known};
    use super::*;

    fn checked(host: &str, origin: Option<&str>, origins: &Origins, sender: Sender) -> Result<(), Denied> {
        let request = Request::put("/functions/a").header(HOST, host);
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        check(&request.body(()).unwrap(), origins, sender)
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
}
