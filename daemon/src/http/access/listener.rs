//! An address of the daemon: who can reach it, and what is served there.

use std::net::SocketAddr;

use crate::http::Door;

/// An address of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// What those may know who are not asked who they are.
    pub(super) door: Door,
    /// What those may know whose token says that they are callers.
    pub(super) callers: Door,
    /// Whether only this machine can reach it.
    pub(super) loopback: bool,
    /// Whether the daemon is managed here.
    pub(super) management: bool,
}

impl Gate {
    /// The address that callers use. It is managed there too, unless there is a second address.
    #[must_use]
    pub fn of_callers(address: SocketAddr, door: Door, managed_elsewhere: bool) -> Self {
        Self { door, callers: door, loopback: address.ip().is_loopback(), management: !managed_elsewhere }
    }

    /// The second address, at which the daemon is managed. Callers are `callers` there too, once they are known.
    #[must_use]
    pub fn of_management(address: SocketAddr, callers: Door) -> Self {
        Self { door: Door::OPERATORS, callers, loopback: address.ip().is_loopback(), management: true }
    }
}
