//! One of the addresses that the daemon listens on.

use std::net::SocketAddr;

use crate::http::Exposure;

#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// What clients see without a token.
    pub(super) exposure: Exposure,
    /// What clients see with a caller's token.
    pub(super) callers: Exposure,
    /// Whether only this machine can reach it.
    pub(super) loopback: bool,
    /// Whether the daemon is managed here.
    pub(super) management: bool,
}

impl Listener {
    /// The address for callers. The daemon is managed there too, unless there is a second address.
    pub fn for_callers(address: SocketAddr, exposure: Exposure, managed_elsewhere: bool) -> Self {
        Self { exposure, callers: exposure, loopback: address.ip().is_loopback(), management: !managed_elsewhere }
    }

    /// The second address, for operators.
    pub fn for_operators(address: SocketAddr, callers: Exposure) -> Self {
        Self { exposure: Exposure::OPERATORS, callers, loopback: address.ip().is_loopback(), management: true }
    }
}
