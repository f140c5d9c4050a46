//! The host and port that a request names, or the origin of a page.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri};

/// A host without the user information that other URIs may have. Nothing is copied: every request is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// An IPv6 address is in brackets.
    pub name: &'a str,
    pub port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Source: RFC 9110, section 7.2; RFC 3986, section 3.2.2.
    pub fn parse(text: &'a str) -> Option<Self> {
        let name_end = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, _) = inner.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                address.len() + "[]".len()
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at(name_end);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
        if name.is_empty() || !(name.starts_with('[') || name.bytes().all(plain)) {
            return None;
        }
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            _ => return None,
        };
        Some(Self { name, port })
    }

    /// What a request names. The URI, as HTTP/2 and requests to proxies have it, takes precedence over `Host`.
    ///
    /// Source: RFC 9112, section 3.2.2.
    pub fn of(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Self> {
        let field = || headers.get(HOST).and_then(|field| field.to_str().ok());
        uri.authority().map(Authority::as_str).or_else(field).and_then(Self::parse)
    }

    /// The address, if the name is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.name.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for (text, name, port) in [
            ("shop.example", "shop.example", None),
            ("shop.example:", "shop.example", None),
            ("shop.example.:81", "shop.example.", Some(81)),
            ("my_host", "my_host", None),
            ("127.0.0.1:8080", "127.0.0.1", Some(8080)),
            ("[::1]", "[::1]", None),
            ("[::1]:1", "[::1]", Some(1)),
        ] {
            assert_eq!(Host::parse(text), Some(Host { name, port }), "{text}");
        }
        for wrong in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:1:2", "a:99999", "a:+1", "[::1", "[::1]x", "[a]", "[]", "::1",
            "ä", "a\\b", "a?b", "a#b",
        ] {
            assert_eq!(Host::parse(wrong), None, "{wrong}");
        }
    }
}
