//! Decides about the sockets of one call: which addresses they may use, and how many there may be.

use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::policy::{SocketPolicy, Transport};
use crate::files::FilesOfCall;
use crate::outbound::{HostName, Networks, look_up};

/// Names that a call may look up.
const NAMES_MAX: usize = 64;

/// Names that a call looks up at once, because all calls share the resolver.
const LOOKUPS_MAX: usize = 4;

/// Datagrams of a call that wait for the network, each way. The host holds 64 KiB for each: a mebibyte, which is within what
/// every call may make it hold. A guest that waits at more sockets than these is served at some of them first.
const DATAGRAMS_MAX: usize = 16;

/// What the sockets of a call may do.
pub struct Gate {
    policy: SocketPolicy,
    networks: Networks,
    function: Arc<str>,
    /// The names that the call has looked up, with the addresses that they led to.
    names: Mutex<Vec<(HostName, Vec<IpAddr>)>>,
    lookups: Semaphore,
    /// The sockets that the call has opened so far. A socket may live on in its streams, which nobody counts, so closing one
    /// makes no room for another.
    opened: Mutex<FilesOfCall>,
    /// One permit for each datagram that a guest waits for.
    pub receiving: Semaphore,
    /// One permit for each datagram that is being sent.
    pub sending: Semaphore,
    /// Whether the log has a refusal of this call already.
    has_logged: AtomicBool,
}

/// Why a name has no addresses.
pub enum Unresolved {
    /// The policy does not name it, or the call has looked up as many as it may.
    Refused,
    /// The resolver knows none.
    Unknown,
}

impl Gate {
    pub fn new(policy: SocketPolicy, networks: Networks, function: Arc<str>, opened: FilesOfCall) -> Arc<Self> {
        Arc::new(Self {
            policy,
            networks,
            function,
            names: Mutex::default(),
            lookups: Semaphore::new(LOOKUPS_MAX),
            opened: Mutex::new(opened),
            receiving: Semaphore::new(DATAGRAMS_MAX),
            sending: Semaphore::new(DATAGRAMS_MAX),
            has_logged: AtomicBool::new(false),
        })
    }

    /// Lets a guest have sockets, which ask this gate about every address.
    pub fn open(self: &Arc<Self>, wasi: &mut WasiCtxBuilder) {
        let gate = self.clone();
        wasi.allow_tcp(true).allow_udp(true);
        wasi.socket_addr_check(move |address, of| Box::pin(ready(gate.allows(address, of))));
    }

    /// Whether the call may open one more socket; it counts from now on.
    pub fn one_more(&self) -> bool {
        let room = self.opened.lock().one_more();
        if !room {
            self.log("another socket: there are as many as `limits.files` or `limits.files-in-all` allows");
        }
        room
    }

    /// The addresses of `name`. From now on the guest may talk to these as the policy allows for the name.
    pub async fn resolve(&self, name: String) -> Result<Vec<IpAddr>, Unresolved> {
        let host = HostName::Name(name.clone());
        if !self.policy.resolves(&host) {
            self.log(&format!("to look up `{host}`: the function's `network` does not list it"));
            return Err(Unresolved::Refused);
        }
        let _permit = self.lookups.acquire().await.map_err(|_| Unresolved::Refused)?;
        if self.names.lock().len() >= NAMES_MAX {
            return Err(Unresolved::Refused);
        }
        let found = look_up(name, 0).await;
        let addresses = found.iter().flatten().map(|address| address.ip().to_canonical()).collect::<Vec<_>>();
        self.names.lock().push((host, addresses.clone()));
        if addresses.is_empty() { Err(Unresolved::Unknown) } else { Ok(addresses) }
    }

    fn allows(&self, address: SocketAddr, of: SocketAddrUse) -> bool {
        use Transport::{Tcp, Udp};
        match of {
            // Whoever comes may come, but counts.
            SocketAddrUse::TcpAccept => self.one_more(),
            SocketAddrUse::TcpConnect => self.may_reach(Tcp, address),
            SocketAddrUse::UdpSend => self.may_reach(Udp, address),
            // Strangers can send datagrams: they fill no log.
            SocketAddrUse::UdpReceive => self.policy.waits(Udp) || self.reaches(Udp, address),
            // Whoever connects or sends is bound to a port that the system chooses.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if is_unbound(address) => true,
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen => self.may_listen(Tcp, address),
            SocketAddrUse::UdpBind => self.may_listen(Udp, address),
        }
    }

    fn may_reach(&self, transport: Transport, address: SocketAddr) -> bool {
        let listed = self.reaches(transport, address);
        let allowed = self.networks.allow(address);
        if !listed {
            self.log(&format!("a connection to `{address}`: the function's `network` does not list it"));
        } else if !allowed {
            self.log(&format!(
                "a connection to `{address}`: it is a private address, and `outbound.private` does not allow it"
            ));
        }
        listed && allowed
    }

    fn may_listen(&self, transport: Transport, address: SocketAddr) -> bool {
        let listed = self.policy.listens(transport, address);
        if !listed {
            self.log(&format!("to listen at `{address}`: the function's `network` does not list it"));
        }
        listed
    }

    fn reaches(&self, transport: Transport, address: SocketAddr) -> bool {
        let names = self.names.lock();
        let ip = address.ip().to_canonical();
        let leading = names.iter().filter(|(_, addresses)| addresses.contains(&ip)).map(|(name, _)| name);
        self.policy.reaches(transport, address, leading)
    }

    /// Once a call, because a guest that keeps trying must not fill the log.
    fn log(&self, what: &str) {
        if !self.has_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(function = &*self.function, "refused {what}");
        }
    }
}

fn is_unbound(address: SocketAddr) -> bool {
    address.ip().is_unspecified() && address.port() == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::OpenFiles;

    fn gate(entries: &[&str], private: &[&str], sockets: usize) -> Arc<Gate> {
        let policy = SocketPolicy::parse(entries.iter().copied()).unwrap();
        let networks = Networks::parse(private.iter().copied()).unwrap();
        let opened = FilesOfCall::new(&OpenFiles::new(Some(sockets)), 0, usize::MAX, false).unwrap();
        Gate::new(policy, networks, "test".into(), opened)
    }

    fn may(gate: &Gate, of: SocketAddrUse, address: &str) -> bool {
        gate.allows(address.parse().unwrap(), of)
    }

    #[tokio::test]
    async fn a_name_stands_for_the_addresses_that_a_lookup_gave() {
        let gate = gate(&["tcp:localhost:80"], &["127.0.0.0/8", "::1"], 0);
        assert!(!may(&gate, SocketAddrUse::TcpConnect, "127.0.0.1:80"), "nothing has been looked up");
        assert!(matches!(gate.resolve("example.com".into()).await, Err(Unresolved::Refused)));
        assert!(gate.resolve("localhost".into()).await.is_ok_and(|found| !found.is_empty()));
        assert!(may(&gate, SocketAddrUse::TcpConnect, "127.0.0.1:80"));
        for address in ["127.0.0.1:81", "127.0.0.2:80"] {
            assert!(!may(&gate, SocketAddrUse::TcpConnect, address), "{address}");
        }
        assert!(!may(&gate, SocketAddrUse::UdpSend, "127.0.0.1:80"));
    }

    #[tokio::test]
    async fn a_call_looks_up_a_bounded_number_of_names() {
        let gate = gate(&["tcp:localhost:80"], &[], 0);
        for _ in 0..NAMES_MAX {
            assert!(gate.resolve("localhost".into()).await.is_ok());
        }
        assert!(matches!(gate.resolve("localhost".into()).await, Err(Unresolved::Refused)));
    }

    #[test]
    fn private_addresses_are_refused_unless_the_operator_allows_them() {
        let everything = gate(&["*"], &["10.0.0.0/8"], 0);
        for (address, allowed) in
            [("1.1.1.1:80", true), ("10.0.0.7:80", true), ("127.0.0.1:80", false), ("[::1]:80", false)]
        {
            assert_eq!(may(&everything, SocketAddrUse::TcpConnect, address), allowed, "{address}");
            assert_eq!(may(&everything, SocketAddrUse::UdpSend, address), allowed, "{address}");
        }
    }

    #[test]
    fn whoever_is_accepted_counts_as_a_socket() {
        let gate = gate(&["tcp-listen:127.0.0.1:80"], &[], 3);
        assert!(gate.one_more());
        assert!((0..2).all(|_| may(&gate, SocketAddrUse::TcpAccept, "192.0.2.1:5000")));
        assert!(!may(&gate, SocketAddrUse::TcpAccept, "192.0.2.1:5000") && !gate.one_more());
    }

    #[test]
    fn a_port_that_the_system_chooses_is_nobodys_to_listen_at() {
        let gate = gate(&["tcp:1.1.1.1:80", "udp:1.1.1.1:53"], &[], 0);
        for of in [SocketAddrUse::TcpBind, SocketAddrUse::UdpBind] {
            assert!(may(&gate, of, "0.0.0.0:0") && may(&gate, of, "[::]:0"));
            assert!(!may(&gate, of, "127.0.0.1:0") && !may(&gate, of, "0.0.0.0:80"));
        }
        assert!(!may(&gate, SocketAddrUse::TcpListen, "0.0.0.0:34567"));
        assert!(
            may(&gate, SocketAddrUse::UdpReceive, "1.1.1.1:53") && !may(&gate, SocketAddrUse::UdpReceive, "1.1.1.2:53")
        );
    }
}
