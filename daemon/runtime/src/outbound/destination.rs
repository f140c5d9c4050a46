//! Where a request goes. This is parsed once, so that the policy checks exactly what is connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::http::uri::{Authority, Scheme};

/// Default port of `http`. Source: RFC 9110, section 4.2.1.
const HTTP_PORT: u16 = 80;

/// Default port of `https`. Source: RFC 9110, section 4.2.2.
const HTTPS_PORT: u16 = 443;

/// Bytes of a name. Source: RFC 1035, section 2.3.4, less the length bytes of the first label and the root.
const NAME_BYTES_MAX: usize = 253;

/// Bytes of a label. Source: RFC 1035, section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub protocol: Protocol,
    pub host: HostName,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// In lower case and without the root's dot.
    Name(String),
    /// An IPv4-mapped IPv6 address is stored as IPv4.
    Address(IpAddr),
}

impl Destination {
    /// `None` unless the scheme is HTTP's and the authority is a host with or without a port. A user before the host is
    /// refused too.
    pub fn of(scheme: &Scheme, authority: &Authority) -> Option<Self> {
        let protocol = Protocol::parse(scheme.as_str())?;
        let (host, port) = split(authority.as_str())?;
        let port = port.map_or(Some(protocol.port()), parse_port)?;
        Some(Self { protocol, host: HostName::parse(host)?, port })
    }
}

impl Protocol {
    pub fn parse(scheme: &str) -> Option<Self> {
        if scheme.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else {
            scheme.eq_ignore_ascii_case("http").then_some(Self::Http)
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Self::Http => HTTP_PORT,
            Self::Https => HTTPS_PORT,
        }
    }
}

impl HostName {
    /// A name, an IPv4 address in four parts, or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        is_name(name).then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Destination {
    /// As in a URI. Nothing but letters, digits and `-._:/[]` is in it: it can go to a log as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == self.protocol.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Splits a host from the port after it.
pub fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end);
    if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) }
}

/// A port to connect to: digits only, not 0.
pub fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// Whether a resolver may be asked for it. A last label that is a number makes it an address: resolvers accept `127.1` and
/// `0x7f000001`. Source: WHATWG URL Standard, "ends in a number".
fn is_name(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.len() <= NAME_BYTES_MAX && !number && text.split('.').all(is_label)
}

/// RFC 1123 allows no underscores in host names, but resolvers and private networks do.
fn is_label(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(known)
}
