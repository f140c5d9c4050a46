//! Which hosts a function may send requests to. Rules are about names; [`Networks`] are about the addresses that names lead
//! to.

use std::sync::Arc;

use thiserror::Error;

use super::destination::{Destination, Protocol, parse_port, split};
use super::hosts::Hosts;
use super::limits::CONNECTIONS_MAX;
use super::networks::Networks;
use crate::shortened::shortened;

/// Hosts that a function may send requests to: none by default. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Arc<[Rule]>,
    networks: Networks,
    /// A limit on requests under way, below the crate's own.
    connections: Option<usize>,
}

/// Why an entry is not a rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{entry}` {why}")]
pub struct PolicyError {
    /// The entry as it is written, or its beginning.
    pub entry: String,
    why: &'static str,
}

const SCHEME: &str = "has a scheme that is not `https://` or `http://`";
const SURPLUS: &str = "has more than a scheme, a host and a port; rules cannot name paths, queries or users";
const PORT: &str = "has a port that is not a number from 1 to 65535";
const HOST: &str = "has no host such as `api.example.com`, `*.example.com`, `*`, `127.0.0.1` or `[::1]`; names are written in \
                    ASCII, other alphabets as `xn--…`";

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    protocol: Protocol,
    hosts: Hosts,
    port: u16,
}

impl Policy {
    /// Parses entries of the form `[scheme://]host[:port]`. The scheme defaults to `https`, the port to that of the scheme.
    /// The host is a name, an address, `*.NAME` for all subdomains of a name but not the name itself, or `*` for every host.
    /// Whatever the entries are, private addresses need [`Policy::reaching`] too.
    ///
    /// # Errors
    /// One error for each entry that does not parse.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<PolicyError>> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for entry in entries {
            match Rule::parse(entry) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { rules: rules.into(), ..Self::default() }) } else { Err(errors) }
    }

    /// The same hosts, with at most `connections` requests of a call under way.
    #[must_use]
    pub fn at_once(self, connections: usize) -> Self {
        Self { connections: Some(connections), ..self }
    }

    /// The same hosts, also where they have one of these private addresses.
    #[must_use]
    pub fn reaching(self, networks: Networks) -> Self {
        Self { networks, ..self }
    }

    /// Whether every request that `other` allows is allowed here too, whatever the address.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.rules.iter().all(|rule| self.rules.iter().any(|own| own.includes(rule)))
    }

    pub(crate) fn networks(&self) -> &Networks {
        &self.networks
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.map_or(CONNECTIONS_MAX, |connections| connections.min(CONNECTIONS_MAX))
    }

    /// Whether requests may go there.
    pub(super) fn covers(&self, destination: &Destination) -> bool {
        self.rules.iter().any(|rule| rule.covers(destination))
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self, PolicyError> {
        let wrong = |why| move || PolicyError { entry: shortened(entry), why };
        let (scheme, rest) = entry.split_once("://").unwrap_or(("https", entry));
        let protocol = Protocol::parse(scheme).ok_or_else(wrong(SCHEME))?;
        if rest.contains(['/', '?', '#', '@']) {
            return Err(wrong(SURPLUS)());
        }
        let (host, port) = split(rest).ok_or_else(wrong(HOST))?;
        let hosts = Hosts::parse(host).ok_or_else(wrong(HOST))?;
        let port = port.map_or(Some(protocol.port()), parse_port).ok_or_else(wrong(PORT))?;
        Ok(Self { protocol, hosts, port })
    }

    fn covers(&self, destination: &Destination) -> bool {
        self.protocol == destination.protocol && self.port == destination.port && self.hosts.cover(&destination.host)
    }

    fn includes(&self, other: &Self) -> bool {
        self.protocol == other.protocol && self.port == other.port && self.hosts.include(&other.hosts)
    }
}
