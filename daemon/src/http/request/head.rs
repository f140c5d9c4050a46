//! Refuses request heads that hyper lets through although the standard does not. What one server reads in one way and the next
//! in another is how requests are smuggled.
//!
//! hyper itself handles a request with both lengths: it reads the chunks, hides the other length, and closes the connection.
//!
//! Source: RFC 9112, sections 3.2 (target and `Host`), 6.1 and 6.3 (`Transfer-Encoding`); RFC 9113, section 8.3.1.

use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::{Method, Request, Version};

use crate::http::answer::problem::Problem;
use crate::http::host::Host;

/// # Errors
/// Says what is wrong. The connection should be closed behind the answer.
pub fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let wrong = find_mistake(request);
    wrong.map_or(Ok(()), |why| Err(Problem::BadRequest(why.into())))
}

/// Whether what follows on the request's connection may be taken for something else.
pub fn closes_connection(version: Version) -> bool {
    matches!(version, Version::HTTP_10 | Version::HTTP_11)
}

fn find_mistake<B>(request: &Request<B>) -> Option<&'static str> {
    let (uri, headers) = (request.uri(), request.headers());
    let mut hosts = headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    let has_no_host = host.is_none() && request.version() == Version::HTTP_11;
    if more.is_some() || has_no_host {
        return Some("a request has exactly one `Host`");
    }
    // An empty one is for targets without a host.
    let is_host = |text: &str| text.is_empty() || Host::parse(text).is_some();
    if host.is_some_and(|host| !host.to_str().is_ok_and(is_host)) {
        return Some("`Host` must be a host and perhaps a port");
    }
    if uri.authority().is_some_and(|authority| Host::parse(authority.as_str()).is_none()) {
        return Some("the target must have a host and perhaps a port, and no user");
    }
    if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Some("the scheme of the target must be `http` or `https`");
    }
    let is_target = match *request.method() {
        // It has a host instead of a path.
        Method::CONNECT => true,
        Method::OPTIONS if uri.path() == "*" => true,
        _ => uri.path().starts_with('/'),
    };
    if !is_target {
        return Some("the target must begin with a slash, or be `*` with `OPTIONS`");
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => None,
        _ => Some("the only `Transfer-Encoding` is `chunked`, once"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(line: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let (method, target) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(target);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        find_mistake(&request.body(()).unwrap())
    }

    #[test]
    fn targets_and_hosts_have_the_form_of_the_standard() {
        for (line, host) in [
            ("GET /", "a"),
            ("GET /", ""),
            ("GET /a@b", "a:80"),
            ("GET http://a/", "b"),
            ("GET HTTPS://a:1/x", "a:1"),
            ("OPTIONS *", "a"),
            ("CONNECT a:80", "a:80"),
        ] {
            assert_eq!(mistake(line, &[("host", host)]), None, "{line} {host}");
        }
        for (line, host, why) in [
            ("GET /", "a b", "`Host` must be"),
            ("GET /", "a/b", "`Host` must be"),
            ("GET /", "me@a", "`Host` must be"),
            ("GET /", "a:x", "`Host` must be"),
            ("GET /", "ä", "`Host` must be"),
            ("GET *", "a", "`*` with `OPTIONS`"),
            ("GET a:80", "a", "begin with a slash"),
            ("GET http://me@a/", "a", "no user"),
            ("GET http://me:secret@a/", "a", "no user"),
            ("GET ftp://a/", "a", "`http` or `https`"),
        ] {
            let mistake = mistake(line, &[("host", host)]).unwrap_or_default();
            assert!(mistake.contains(why), "{line} {host}: {mistake}");
        }
        assert!(mistake("GET /", &[]).is_some());
        assert!(mistake("GET /", &[("host", "a"), ("host", "a")]).is_some());
    }

    #[test]
    fn a_body_is_chunked_once_or_has_a_length() {
        let coded = |codings: &[&'static str]| {
            let codings = codings.iter().map(|coding| ("transfer-encoding", *coding));
            mistake("POST /", &[("host", "a")].into_iter().chain(codings).collect::<Vec<_>>()).is_none()
        };
        assert!(coded(&[]) && coded(&["chunked"]) && coded(&["Chunked"]));
        for wrong in
            [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["gzip", "chunked"], &[""]]
        {
            assert!(!coded(wrong), "{wrong:?}");
        }
    }
}
