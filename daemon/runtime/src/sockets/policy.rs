//! Which sockets a function may open: whom it may talk to, and where it may listen.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::outbound::{HostName, Hosts, parse_port, split};

/// Sockets that a function may open: none by default. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketPolicy(Arc<[Rule]>);

/// Why an entry is not a rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{entry}` {why}")]
pub struct SocketPolicyError {
    /// The entry as it is written.
    pub entry: String,
    why: &'static str,
}

const FORM: &str =
    "is not of the form `tcp:HOST:PORT`, `udp:HOST:PORT`, `tcp-listen:ADDRESS:PORT` or `udp-listen:ADDRESS:PORT`";
const PORT: &str = "has a port that is neither a number from 1 to 65535 nor `*`";
const HOST: &str = "has no host such as `db.example.com`, `*.example.com`, `*`, `10.0.0.7` or `[fd00::7]`; names are written in \
                    ASCII, other alphabets as `xn--…`";
const ADDRESS: &str = "has no address to listen at, such as `127.0.0.1`, `[::1]` or `*`";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    transport: Transport,
    /// Whether it is about the guest's own address; otherwise about that of others.
    listen: bool,
    hosts: Hosts,
    /// `None` for every port.
    port: Option<u16>,
}

impl SocketPolicy {
    /// Parses entries of the form `tcp:HOST:PORT` and `udp:HOST:PORT`, which let a function talk to a host, and
    /// `tcp-listen:ADDRESS:PORT` and `udp-listen:ADDRESS:PORT`, which let it wait for others at an address of this machine. `*`
    /// stands for every host, address or port, `*.NAME` for all subdomains of a name; the entry `*` for everything.
    ///
    /// # Errors
    /// One error for each entry that does not parse.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<SocketPolicyError>> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                "*" => rules.extend(everything()),
                _ => match Rule::parse(entry) {
                    Ok(rule) => rules.push(rule),
                    Err(why) => errors.push(SocketPolicyError { entry: entry.to_owned(), why }),
                },
            }
        }
        if errors.is_empty() { Ok(Self(rules.into())) } else { Err(errors) }
    }

    /// Whether it allows no socket at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every socket that `other` allows is allowed here too.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|rule| self.0.iter().any(|own| own.includes(rule)))
    }

    /// Whether a guest may listen at `own`.
    pub(super) fn listens(&self, transport: Transport, own: SocketAddr) -> bool {
        let address = HostName::Address(own.ip().to_canonical());
        self.of(transport, true).any(|rule| rule.covers_port(own.port()) && rule.hosts.cover(&address))
    }

    /// Whether a guest may wait for whoever comes.
    pub(super) fn waits(&self, transport: Transport) -> bool {
        self.of(transport, true).next().is_some()
    }

    /// Whether a guest may talk to `other`. `names` are those that have led there.
    pub(super) fn reaches<'a>(
        &self,
        transport: Transport,
        other: SocketAddr,
        mut names: impl Iterator<Item = &'a HostName> + Clone,
    ) -> bool {
        let address = HostName::Address(other.ip().to_canonical());
        let rules = || self.of(transport, false).filter(|rule| rule.covers_port(other.port()));
        rules().any(|rule| rule.hosts.cover(&address)) || names.any(|name| rules().any(|rule| rule.hosts.cover(name)))
    }

    /// Whether a guest may ask for the addresses of this name: it may talk to them at one port at least.
    pub(super) fn resolves(&self, name: &HostName) -> bool {
        self.0.iter().any(|rule| !rule.listen && rule.hosts.cover(name))
    }

    fn of(&self, transport: Transport, listen: bool) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.transport == transport && rule.listen == listen)
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let (kind, rest) = entry.split_once(':').ok_or(FORM)?;
        let (transport, listen) = match kind {
            "tcp" => (Transport::Tcp, false),
            "udp" => (Transport::Udp, false),
            "tcp-listen" => (Transport::Tcp, true),
            "udp-listen" => (Transport::Udp, true),
            _ => return Err(FORM),
        };
        let (host, Some(port)) = split(rest).ok_or(FORM)? else { return Err(FORM) };
        let hosts = Hosts::parse(host).ok_or(if listen { ADDRESS } else { HOST })?;
        let at_address = matches!(hosts, Hosts::Any | Hosts::One(HostName::Address(_)));
        if listen && !at_address {
            return Err(ADDRESS);
        }
        let port = if port == "*" { None } else { Some(parse_port(port).ok_or(PORT)?) };
        Ok(Self { transport, listen, hosts, port })
    }

    fn covers_port(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }

    fn includes(&self, other: &Self) -> bool {
        self.transport == other.transport
            && self.listen == other.listen
            && (self.port.is_none() || self.port == other.port)
            && self.hosts.include(&other.hosts)
    }
}

fn everything() -> [Rule; 4] {
    [(Transport::Tcp, false), (Transport::Tcp, true), (Transport::Udp, false), (Transport::Udp, true)]
        .map(|(transport, listen)| Rule { transport, listen, hosts: Hosts::Any, port: None })
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;

    fn policy(entries: &[&str]) -> SocketPolicy {
        SocketPolicy::parse(entries.iter().copied()).unwrap()
    }

    fn reaches(entries: &[&str], transport: Transport, address: &str, names: &[&str]) -> bool {
        let names: Vec<_> = names.iter().map(|name| HostName::parse(name).unwrap()).collect();
        policy(entries).reaches(transport, address.parse().unwrap(), names.iter())
    }

    #[test]
    fn a_guest_talks_to_what_is_listed_and_to_nothing_else() {
        use Transport::{Tcp, Udp};
        for (entry, transport, address, names) in [
            ("tcp:10.0.0.7:5432", Tcp, "10.0.0.7:5432", &[][..]),
            ("tcp:10.0.0.7:*", Tcp, "10.0.0.7:1", &[]),
            ("tcp:[fd00::7]:80", Tcp, "[fd00::7]:80", &[]),
            ("tcp:10.0.0.7:80", Tcp, "[::ffff:10.0.0.7]:80", &[]),
            ("udp:*:53", Udp, "9.9.9.9:53", &[]),
            ("tcp:db.example.com:5432", Tcp, "10.0.0.7:5432", &["db.example.com"]),
            ("tcp:*.example.com:5432", Tcp, "10.0.0.7:5432", &["db.example.com"]),
            ("*", Udp, "10.0.0.7:5432", &[]),
        ] {
            assert!(reaches(&[entry], transport, address, names), "{entry} {address}");
        }
        for (entry, transport, address, names) in [
            ("tcp:10.0.0.7:5432", Udp, "10.0.0.7:5432", &[][..]),
            ("tcp:10.0.0.7:5432", Tcp, "10.0.0.7:5433", &[]),
            ("tcp:10.0.0.7:5432", Tcp, "10.0.0.8:5432", &[]),
            ("tcp-listen:10.0.0.7:5432", Tcp, "10.0.0.7:5432", &[]),
            ("tcp:db.example.com:5432", Tcp, "10.0.0.7:5432", &[]),
            ("tcp:db.example.com:5432", Tcp, "10.0.0.7:5433", &["db.example.com"]),
            ("tcp:db.example.com:5432", Tcp, "10.0.0.7:5432", &["www.example.com"]),
        ] {
            assert!(!reaches(&[entry], transport, address, names), "{entry} {address}");
        }
    }

    #[test]
    fn a_guest_listens_where_it_is_allowed_to() {
        let address = |text: &str| text.parse().unwrap();
        let one = policy(&["tcp-listen:127.0.0.1:9000"]);
        assert!(one.listens(Transport::Tcp, address("127.0.0.1:9000")) && one.waits(Transport::Tcp));
        for other in ["127.0.0.1:9001", "0.0.0.0:9000", "[::1]:9000"] {
            assert!(!one.listens(Transport::Tcp, address(other)), "{other}");
        }
        assert!(!one.listens(Transport::Udp, address("127.0.0.1:9000")) && !one.waits(Transport::Udp));
        assert!(policy(&["udp-listen:*:*"]).listens(Transport::Udp, address("0.0.0.0:53")));
        assert!(!policy(&["tcp:127.0.0.1:9000"]).listens(Transport::Tcp, address("127.0.0.1:9000")));
    }

    #[test]
    fn names_are_looked_up_if_one_rule_names_them() {
        let policy = policy(&["tcp:db.example.com:5432", "udp:*.example.org:53"]);
        let resolves = |name| policy.resolves(&HostName::parse(name).unwrap());
        assert!(resolves("DB.example.com.") && resolves("a.b.example.org"));
        assert!(!resolves("example.com") && !resolves("example.org") && !resolves("localhost"));
        assert!(!SocketPolicy::parse(["tcp-listen:*:*"]).unwrap().resolves(&HostName::parse("localhost").unwrap()));
    }

    #[test]
    fn a_policy_includes_what_it_allows() {
        let allowed = policy(&["tcp:*.example.com:*", "tcp-listen:127.0.0.1:9000"]);
        for within in ["tcp:db.example.com:1", "tcp:*.db.example.com:*", "tcp-listen:127.0.0.1:9000"] {
            assert!(allowed.includes(&policy(&[within])), "{within}");
        }
        for beyond in
            ["*", "tcp:*:1", "udp:db.example.com:1", "tcp:example.com:1", "tcp-listen:127.0.0.1:*", "tcp:10.0.0.1:1"]
        {
            assert!(!allowed.includes(&policy(&[beyond])), "{beyond}");
        }
        assert!(policy(&["*"]).includes(&allowed) && allowed.includes(&SocketPolicy::default()));
    }

    proptest! {
        #[test]
        fn whatever_parses_includes_itself(entry in "(tcp|udp)?(-listen)?[:*.a-z0-9\\[\\]]{0,24}") {
            if let Ok(policy) = SocketPolicy::parse([&*entry]) {
                prop_assert!(policy.includes(&policy) && SocketPolicy::parse(["*"]).unwrap().includes(&policy));
            }
        }
    }

    #[test]
    fn entries_that_are_no_rules_are_refused() {
        for (entry, why) in [
            ("", FORM),
            ("10.0.0.7:80", FORM),
            ("http:example.com:80", FORM),
            ("tcp:example.com", FORM),
            ("TCP:example.com:80", FORM),
            ("tcp:example.com:0", PORT),
            ("tcp:example.com:70000", PORT),
            ("tcp:example.com:", PORT),
            ("tcp::80", HOST),
            ("tcp:127.1:80", HOST),
            ("tcp:fd00::7:80", PORT),
            ("tcp:user@example.com:80", HOST),
            ("tcp-listen:localhost:80", ADDRESS),
            ("udp-listen:*.example.com:80", ADDRESS),
        ] {
            assert_eq!(SocketPolicy::parse([entry]).unwrap_err()[0].why, why, "{entry}");
        }
        let errors = SocketPolicy::parse(["x", "tcp:a:1", "y"]).unwrap_err();
        assert_eq!(errors.iter().map(|error| &*error.entry).collect::<Vec<_>>(), ["x", "y"]);
    }
}
