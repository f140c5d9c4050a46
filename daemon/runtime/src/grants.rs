//! What a function may use: limits, directories, hosts, sockets.

use std::path::PathBuf;
use std::time::Duration;

use super::outbound::Policy;
use super::sockets::SocketPolicy;

/// The most that one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from instantiation to the end of the call.
    pub wall: Duration,
    /// Memory in bytes: linear memories, tables, and what the host holds for the guest beyond its first 2 MiB, such as lists
    /// of headers and bodies that wait to be sent.
    pub memory: usize,
    /// Elements of each table. Compilers add one for each function whose address is taken.
    pub table_elements: usize,
    /// Standard output, or the body of an HTTP answer, in bytes. A call that writes more fails.
    pub stdout: usize,
    /// Standard error in bytes. If a call writes more, the end is kept.
    pub stderr: usize,
    /// Files, directories and connections that are open at once.
    pub files: usize,
}

/// A directory of the host that a guest can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Path on the host.
    pub host: PathBuf,
    /// Path that the guest sees.
    pub guest: String,
    /// Whether the guest may change its contents.
    pub writable: bool,
    /// Whether the guest may open FIFOs and devices in it. They may wait or deliver without end, so file operations of a
    /// function with such a directory run on threads of tokio's blocking pool.
    pub special: bool,
}

/// What a function may use, whoever calls it.
#[derive(Clone, Debug)]
pub struct Grants {
    /// The most that each call may use.
    pub limits: Limits,
    /// The export that starts a command; `_start` if `None`.
    pub start: Option<String>,
    /// The export that a numeric function is called by; `run` if `None`.
    pub entry: Option<String>,
    /// Directories that the guest can open.
    pub directories: Vec<Directory>,
    /// Hosts that the guest can send HTTP requests to.
    pub outbound: Policy,
    /// Sockets that the guest can open, if it is a component of WASI 0.3. Private addresses need [`Policy::reaching`] of
    /// `outbound` too.
    pub network: SocketPolicy,
    /// How many idle instances are kept for further calls; `None` gives every call a fresh instance.
    pub reused: Option<u32>,
}

impl Grants {
    /// No directories, hosts and sockets: only what `limits` allow.
    pub fn of(limits: Limits) -> Self {
        Self {
            limits,
            start: None,
            entry: None,
            directories: Vec::new(),
            outbound: Policy::default(),
            network: SocketPolicy::default(),
            reused: None,
        }
    }
}
