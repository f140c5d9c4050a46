//! Reads bodies, queries and preferences of requests.

pub mod body;
pub mod head;
pub mod incoming;
pub mod negotiate;
pub mod query;

use std::net::SocketAddr;

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri};

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peers {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Whether the connection is encrypted. The scheme of an HTTP/2 request cannot tell: the client chooses it.
    pub https: bool,
}

/// The host and port that a request names. The URI, as HTTP/2 and requests to proxies have it, takes precedence over `Host`.
///
/// Source: RFC 9112, section 3.2.2.
pub fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = || headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    uri.authority().cloned().or_else(host)
}
