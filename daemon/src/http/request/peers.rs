//! The two ends of a connection.

use std::net::SocketAddr;

#[derive(Clone, Copy, Debug)]
pub struct Peers {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Whether the connection is encrypted. The scheme of an HTTP/2 request cannot tell: the client chooses it.
    pub https: bool,
}
