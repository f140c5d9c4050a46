//! Reads bodies, queries and preferences of requests.

pub mod body;
pub mod incoming;
pub mod negotiate;
pub mod query;

use std::net::SocketAddr;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peers {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Whether the connection is encrypted. The scheme of an HTTP/2 request cannot tell: the client chooses it.
    pub https: bool,
}
