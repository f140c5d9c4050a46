//! The options of the server: where it listens, who may call, how connections are bounded, how finely joules are shown.

mod access;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nebula_metering::Microjoules;

use crate::settings::{Checker, UP_TO_A_DAY, duration_in, energy, file_path, number_in, one_of, options, size_in};

pub use access::{AccessMode, AccessSettings, Names, Origins};

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Listen on this address and port; port 0 picks a free one
        listen: SocketAddr => "listen", ADDRESS = "127.0.0.1:8080", address;
        /// Listen on a second address for operators. It serves everything, with exact figures; deploying, /metrics,
        /// /energy, /usage and /events are then served only there
        admin: Option<SocketAddr> => "admin.listen", ADDRESS, address;
        ..access: AccessSettings;
        ..tls: TlsSettings;
        ..connections: ConnectionSettings;
        ..form: FormBounds;
        ..energy: EnergySettings;
    }
}

options! {
    #[derive(Clone, Debug)]
    pub struct TlsSettings {
        /// Serve TLS on both addresses with this certificate chain (PEM); reread when it changes
        certificates: Option<PathBuf> => "tls.cert", FILE, file_path;
        /// Private key (PEM) of `tls.cert`
        key: Option<PathBuf> => "tls.key", FILE, file_path;
    }
}

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct ConnectionSettings {
        /// Open at most this many connections; further ones wait
        connections: usize => "http.connections", COUNT = "10000", number_in(1..=1_000_000);
        /// Largest request head (request line and headers)
        head: usize => "http.head", SIZE = "64KiB", size_in(8 << 10..=1 << 20);
        /// Time to receive a request head, and to wait for the next request
        header_timeout: Duration => "http.header-timeout", DURATION = "10s", duration_in(UP_TO_A_DAY);
        /// Time to receive a request body
        body_timeout: Duration => "http.body-timeout", DURATION = "30s", duration_in(UP_TO_A_DAY);
        /// HTTP/2 streams on one connection at once
        streams: u32 => "http.streams", COUNT = "100", number_in(1..=10_000);
        /// Close an HTTP/2 connection that has had no stream for this long
        idle: Duration => "http.idle", DURATION = "60s", duration_in(UP_TO_A_DAY);
        /// Time for running calls to finish after SIGTERM or SIGINT
        grace: Duration => "http.grace", DURATION = "10s",
            duration_in(Duration::ZERO..=Duration::from_secs(86_400));
        /// Largest request body
        body_max: usize => "limits.body", SIZE = "4MiB", size_in(0..=1 << 30);
        /// Request bodies that are in memory at once, in all: calls' and deployed modules'
        bodies_max: usize => "limits.bodies", SIZE = "256MiB", size_in(1 << 20..=1 << 40);
        /// Parameters of a query that become variables or arguments of a function
        parameters: usize => "limits.parameters", COUNT = "1000", number_in(0..=100_000);
        ..sending: SendingBounds;
    }
}

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct SendingBounds {
        /// How far a client may fall behind in reading an answer before it is cut off
        behind: Duration => "http.write-timeout", DURATION = "30s", duration_in(UP_TO_A_DAY);
        /// What a client must read per second so as not to fall behind
        rate: usize => "http.write-rate", SIZE = "4KiB", size_in(1..=1 << 30);
        /// Bytes of answers that may wait to be sent, in the whole daemon; beyond them the slowest clients are cut off
        bytes: usize => "http.buffered", SIZE = "256MiB", size_in(1 << 20..=1 << 40);
    }
}

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct FormBounds {
        /// Calls that one form at /api/wasm may ask for
        calls: u32 => "api.calls", COUNT = "1000", number_in(1..=1_000_000);
        /// Time that the calls of one form may take together
        wall: Duration => "api.wall", DURATION = "5m", duration_in(UP_TO_A_DAY);
    }
}

options! {
    #[derive(Clone, Copy, Debug)]
    pub struct EnergySettings {
        /// Round the joules of a call for callers: `full`, or a step such as 1uJ or 1mJ; by default full on loopback and
        /// 100uJ elsewhere
        resolution: Resolution => "energy.resolution", ENERGY, Resolution::read, or Resolution::STRANGERS;
        /// Who sees joules: `callers`, or only `operators` (at `admin.listen` or with an operator's token)
        expose: Expose => "energy.expose", WHOM = "callers",
            one_of(&[("callers", Expose::Callers), ("operators", Expose::Operators)]);
    }
}

/// PEM files of the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and a certificate authority.
    pub certificates: PathBuf,
    pub key: PathBuf,
}

impl TlsSettings {
    pub fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles { certificates: self.certificates.clone()?, key: self.key.clone()? })
    }
}

/// How finely the joules of a call are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Full,
    /// Rounded to a multiple of this.
    Step(Microjoules),
}

/// Who sees joules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    /// All callers, rounded to the resolution.
    Callers,
    /// Only clients of the operators' address, and those with an operator's token.
    Operators,
}

impl Resolution {
    /// The default on addresses that are not loopback.
    ///
    /// At five watts it is the energy of 20 µs. An attacker who can call often enough can average the rounding away, as the
    /// PLATYPUS attacks average many readings: rounding slows them down, `energy.expose` stops them.
    ///
    /// Source: CVE-2020-8694; Lipp et al., "PLATYPUS: Software-based Power Side-Channel Attacks on x86", IEEE S&P 2021.
    pub const STRANGERS: Self = Self::Step(Microjoules(100));

    fn read(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Self::Full);
        }
        energy(text).map(Self::Step).map_err(|why| format!("it must be `full` or an energy; {why}"))
    }
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let mut settings = Self::read(check);
        let Self { listen, admin, ref access, .. } = settings;
        access.validate(check, [("listen", Some(listen)), ("admin.listen", admin)]);
        if access.is_local(listen) && check.text("energy.resolution").is_none() {
            settings.energy.resolution = Resolution::Full;
        }
        for (one, other) in [("tls.cert", "tls.key"), ("tls.key", "tls.cert")] {
            if check.text(other).is_none() {
                check.refuse(one, format!("TLS needs a certificate and its key; pass `{other}` too"));
            }
        }
        // An address that is given but invalid is a mistake of its own.
        let nobody = check.text("admin.listen").is_none() && check.text("tokens").is_none();
        if settings.energy.expose == Expose::Operators && nobody {
            check.refuse(
                "energy.expose",
                "nobody could see the joules; give operators an address of their own with `admin.listen`, or tokens \
                 with `tokens`",
            );
        }
        if settings.connections.bodies_max < settings.connections.body_max {
            check.refuse("limits.bodies", "a single body may be larger (`limits.body`)");
        }
        if admin == Some(listen) && listen.port() != 0 {
            check.refuse("admin.listen", "callers have this address; choose another address or port");
        }
        settings
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| match text.parse::<u16>() {
        Ok(port) => format!("a port needs an address, such as 127.0.0.1:{port}"),
        Err(_) => "it must be an IP address with a port, such as 127.0.0.1:8080 or [::1]:8080".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Mistakes, checked};

    fn check(flags: &[(&str, &str)]) -> Result<Settings, Mistakes> {
        checked(Settings::options(), flags, Settings::check)
    }

    #[test]
    fn a_port_alone_is_not_an_address() {
        assert!(check(&[("listen", "8080")]).unwrap_err().to_string().contains("such as 127.0.0.1:8080"));
        assert!(check(&[("listen", "localhost:8080")]).unwrap_err().to_string().contains("[::1]:8080"));
    }

    #[test]
    fn joules_are_rounded_on_public_addresses_by_default() {
        let resolution = |flags: &[_]| check(&[flags, &[("access", "open")]].concat()).unwrap().energy.resolution;
        for loopback in ["127.0.0.1:8080", "127.8.9.10:1", "[::1]:8080"] {
            assert_eq!(resolution(&[("listen", loopback)]), Resolution::Full, "{loopback}");
        }
        for public in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            assert_eq!(resolution(&[("listen", public)]), Resolution::Step(Microjoules(100)), "{public}");
        }
        assert_eq!(resolution(&[("listen", "0.0.0.0:1"), ("energy.resolution", "full")]), Resolution::Full);
        assert_eq!(resolution(&[("energy.resolution", "1mJ")]), Resolution::Step(Microjoules(1000)));
        assert!(check(&[("energy.resolution", "1.5mJ")]).is_err());
    }

    #[test]
    fn joules_for_operators_only_need_a_way_in_for_operators() {
        let operators = ("energy.expose", "operators");
        assert!(check(&[operators, ("admin.listen", "127.0.0.1:0")]).is_ok());
        assert!(check(&[operators, ("tokens", "/t")]).is_ok());
        let refused = check(&[operators]).unwrap_err().to_string();
        assert!(refused.starts_with("invalid value `operators` for --energy-expose: nobody could see"), "{refused}");
        let mistakes = check(&[operators, ("admin.listen", "9090")]).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    }

    #[test]
    fn operators_and_callers_cannot_share_an_address() {
        let both = |address| check(&[("listen", address), ("admin.listen", address)]);
        assert!(both("127.0.0.1:9090").unwrap_err().to_string().contains("callers have this address"));
        assert!(both("127.0.0.1:0").is_ok());
    }

    #[test]
    fn tls_needs_a_certificate_and_its_key() {
        let tls = check(&[("tls.cert", "/c"), ("tls.key", "/k")]).unwrap().tls.files();
        assert_eq!(tls, Some(TlsFiles { certificates: "/c".into(), key: "/k".into() }));
        assert!(check(&[("tls.cert", "/c")]).unwrap_err().to_string().contains("pass `tls.key` too"));
        assert!(check(&[("tls.key", "/k")]).unwrap_err().to_string().contains("pass `tls.cert` too"));
    }
}
