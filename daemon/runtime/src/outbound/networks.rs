//! Which addresses guests may connect to. By default those of the public internet alone: what listens on a private address,
//! such as the daemon's own address for operators or a cloud's metadata service, often trusts whoever reaches it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

use crate::shortened::shortened;

/// Addresses that are not on the public internet. Source: IANA IPv4 Special-Purpose Address Registry; multicast and
/// class E, IANA IPv4 Address Space Registry.
const PRIVATE_V4: [Ipv4Net; 14] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 3),
];

/// Azure's metadata and host agent: a public address that leads to the machine's own host. Source: Microsoft, "What is IP
/// address 168.63.129.16?".
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// The addresses that are routed globally, and the special ones among them (protocol assignments with Teredo, documentation,
/// 6to4). Source: IANA IPv6 Special-Purpose Address Registry.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
const PRIVATE_V6: [Ipv6Net; 4] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x2002, 0, 16), v6(0x3fff, 0, 20)];

/// IPv4 addresses as networks that only speak IPv6 see them. Source: RFC 6052, section 2.1.
const TRANSLATED: Ipv6Net = v6(0x64, 0xff9b, 96);

const fn v4(address: [u8; 4], bits: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), bits)
}

/// Private addresses that guests may connect to all the same: none by default. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Arc<[Network]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    addresses: IpNet,
    /// `None` for every port.
    port: Option<u16>,
}

/// An entry that names no addresses.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is neither an address (`127.0.0.1`), nor one with a port (`127.0.0.1:9000`), nor a network (`10.1.0.0/16`)"
)]
pub struct NetworksError(String);

impl Networks {
    /// Parses addresses, addresses with a port, and networks.
    ///
    /// # Errors
    /// For the first entry that is none of these.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworksError> {
        entries.into_iter().map(Network::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Every address there is.
    #[must_use]
    pub fn all() -> Self {
        let any = |addresses| Network { addresses, port: None };
        Self([any(Ipv4Net::default().into()), any(Ipv6Net::default().into())].into())
    }

    /// Whether a guest may connect to this address: it is public, or among these.
    #[must_use]
    pub fn allow(&self, to: SocketAddr) -> bool {
        let address = to.ip().to_canonical();
        let allows = |network: &Network| {
            network.port.is_none_or(|port| port == to.port()) && network.addresses.contains(&address)
        };
        is_public(address) || self.0.iter().any(allows)
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, NetworksError> {
        let one = |address: IpAddr, port| Self { addresses: address.to_canonical().into(), port };
        let address = || text.parse().ok().map(|address: IpAddr| one(address, None));
        let with_port = || text.parse().ok().map(|address: SocketAddr| one(address.ip(), Some(address.port())));
        let network = || text.parse().ok().map(|addresses| Self { addresses, port: None });
        address().or_else(with_port).or_else(network).ok_or_else(|| NetworksError(shortened(text)))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address != AZURE_HOST && !PRIVATE_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if TRANSLATED.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !PRIVATE_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(networks: &str, address: &str) -> bool {
        let networks = Networks::parse(networks.split_whitespace()).unwrap();
        let port = |address: IpAddr| SocketAddr::new(address, 80);
        networks.allow(address.parse().unwrap_or_else(|_| port(address.parse().unwrap())))
    }

    #[test]
    fn only_public_addresses_are_allowed_by_default() {
        for public in
            ["1.1.1.1", "100.63.255.255", "172.32.0.1", "223.255.255.255", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert!(allows("", public), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::",
            "2001:db8::1",
            "100::1",
        ] {
            assert!(!allows("", private), "{private}");
        }
    }

    #[test]
    fn the_operator_can_allow_addresses_ports_and_networks() {
        let networks = "127.0.0.1:9000 10.1.0.0/16 192.168.0.7 fd00::/8 [::1]:9000 ::ffff:10.9.0.1";
        for allowed in [
            "127.0.0.1:9000",
            "10.1.255.1:1",
            "192.168.0.7:443",
            "[fd12::1]:80",
            "[::1]:9000",
            "[::ffff:10.1.0.1]:80",
            "10.9.0.1:80",
        ] {
            assert!(allows(networks, allowed), "{allowed}");
        }
        for refused in ["127.0.0.1:9001", "10.2.0.1:80", "192.168.0.8:443", "[::1]:80", "[fe80::1]:80"] {
            assert!(!allows(networks, refused), "{refused}");
        }
        assert!(
            Networks::all().allow("127.0.0.1:1".parse().unwrap()) && Networks::all().allow("[::1]:1".parse().unwrap())
        );
        for wrong in ["", "localhost", "10.0.0.0/33", "127.0.0.1:70000", "10.0.0.1/8/9"] {
            assert!(Networks::parse([wrong]).is_err(), "{wrong}");
        }
    }
}
