//! The options of the server: where it listens, who may call, how connections are bounded, how finely joules are shown.

mod access;

use std::net::SocketAddr;
use std::time::Duration;

use nebula_metering::Microjoules;

use crate::settings::{Checker, Setting, defaulted, energy, one_of, optional};

pub use access::{AccessMode, AccessSettings, Origins, TlsFiles};

pub const OPTIONS: &[Setting] = &[
    defaulted("listen", "ADDRESS", "127.0.0.1:8080", "Listen on this address and port; port 0 picks a free one"),
    optional(
        "admin.listen",
        "ADDRESS",
        "Listen on a second address for operators. It serves everything, with exact figures; deploying, /metrics, /energy, \
         /usage and /events are then served only there",
    ),
    defaulted(
        "access",
        "WHO",
        "auto",
        "Who needs a token. `auto`: remote clients always, local ones only to make changes, once `tokens` is set. `tokens`: \
         everybody. `local`: as `auto`, but every client counts as local (for a container whose port is published on \
         127.0.0.1 only). `open`: nobody",
    ),
    optional(
        "tokens",
        "FILE",
        "Accept the tokens in this TOML file (`nebula token` adds to it); reread when it changes",
    ),
    optional(
        "tls.cert",
        "FILE",
        "Serve TLS on both addresses with this certificate chain (PEM); reread when it changes",
    ),
    optional("tls.key", "FILE", "Private key (PEM) of `tls.cert`"),
    optional(
        "cors.origins",
        "ORIGINS",
        "Let pages of these origins read answers: https://a.example,https://b.example, or * for any",
    ),
    defaulted("http.connections", "COUNT", "10000", "Open at most this many connections; further ones wait"),
    defaulted("http.head", "SIZE", "64KiB", "Largest request head (request line and headers)"),
    defaulted(
        "http.header-timeout",
        "DURATION",
        "10s",
        "Time to receive a request head, and to wait for the next request",
    ),
    defaulted("http.body-timeout", "DURATION", "30s", "Time to receive a request body"),
    defaulted("http.write-timeout", "DURATION", "30s", "Close a connection whose client reads nothing for this long"),
    defaulted("http.streams", "COUNT", "100", "HTTP/2 streams on one connection at once"),
    defaulted("http.grace", "DURATION", "10s", "Time for running calls to finish after SIGTERM or SIGINT"),
    defaulted("limits.body", "SIZE", "4MiB", "Largest request body"),
    defaulted("api.calls", "COUNT", "1000", "Calls that one form at /api/wasm may ask for"),
    defaulted("api.wall", "DURATION", "5m", "Time that the calls of one form may take together"),
    optional(
        "energy.resolution",
        "ENERGY",
        "Round the joules of a call for callers: `full`, or a step such as 1uJ or 1mJ; by default full on loopback and \
         100uJ elsewhere",
    ),
    defaulted(
        "energy.expose",
        "WHOM",
        "callers",
        "Who sees joules: `callers`, or only `operators` (at `admin.listen` or with an operator's token)",
    ),
];

#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    /// A second address, for operators.
    pub admin: Option<SocketAddr>,
    pub access: AccessSettings,
    pub tls: Option<TlsFiles>,
    pub connections: ConnectionSettings,
    /// Largest request body, in bytes.
    pub body_max: usize,
    pub form: FormBounds,
    pub resolution: Resolution,
    pub expose: Expose,
}

/// How connections are bounded.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionSettings {
    pub connections: usize,
    /// Largest request head, in bytes.
    pub head: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    /// Longest time for which a client may read nothing of an answer.
    pub write_timeout: Duration,
    /// HTTP/2 streams on one connection.
    pub streams: u32,
    /// Longest time for running calls to finish when the daemon ends.
    pub grace: Duration,
}

/// How much one form at `/api/wasm` may ask for.
#[derive(Clone, Copy, Debug)]
pub struct FormBounds {
    pub calls: u32,
    /// Longest time for all its calls together.
    pub wall: Duration,
}

/// To what the joules of a call are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Full,
    /// To a multiple of this.
    Step(Microjoules),
}

/// Who sees joules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    /// All callers, rounded to the resolution.
    Callers,
    /// Only those who come in at the operators' address, or with an operator's token.
    Operators,
}

impl Resolution {
    /// What strangers see unless the options say otherwise.
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
        let listen: SocketAddr = check.parse("listen", address);
        let admin = check.optional("admin.listen", address);
        let access = AccessSettings::check(check, listen, admin);
        let expose = [("callers", Expose::Callers), ("operators", Expose::Operators)];
        let expose = check.parse("energy.expose", one_of(&expose));
        check_operators(check, listen, admin, expose);
        let strangers = if access.is_local(listen) { Resolution::Full } else { Resolution::STRANGERS };
        let long = Duration::from_millis(1)..=Duration::from_secs(86_400);
        Self {
            listen,
            admin,
            access,
            tls: TlsFiles::check(check),
            connections: ConnectionSettings {
                connections: check.number("http.connections", 1..=1_000_000),
                head: check.size("http.head", 8 << 10..=1 << 20),
                header_timeout: check.duration("http.header-timeout", &long),
                body_timeout: check.duration("http.body-timeout", &long),
                write_timeout: check.duration("http.write-timeout", &long),
                streams: check.number("http.streams", 1..=10_000),
                grace: check.duration("http.grace", &(Duration::ZERO..=Duration::from_secs(86_400))),
            },
            body_max: check.size("limits.body", 0..=1 << 30),
            form: FormBounds {
                calls: check.number("api.calls", 1..=1_000_000),
                wall: check.duration("api.wall", &long),
            },
            resolution: check.optional("energy.resolution", Resolution::read).unwrap_or(strangers),
            expose,
        }
    }
}

/// The two addresses must differ, and somebody must see what callers must not.
fn check_operators(check: &mut Checker<'_>, listen: SocketAddr, admin: Option<SocketAddr>, expose: Expose) {
    // An address that is given but invalid is a mistake of its own.
    let nobody = check.text("admin.listen").is_none() && check.text("tokens").is_none();
    if expose == Expose::Operators && nobody {
        check.refuse(
            "energy.expose",
            "nobody could see the joules; give operators an address of their own with `admin.listen`, or tokens with \
             `tokens`",
        );
    }
    if admin == Some(listen) && listen.port() != 0 {
        check.refuse("admin.listen", "callers have this address; choose another address or port");
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
        checked(OPTIONS, flags, Settings::check)
    }

    #[test]
    fn a_port_alone_is_no_address() {
        assert!(check(&[("listen", "8080")]).unwrap_err().to_string().contains("such as 127.0.0.1:8080"));
        assert!(check(&[("listen", "localhost:8080")]).unwrap_err().to_string().contains("[::1]:8080"));
    }

    #[test]
    fn strangers_see_less_unless_the_options_say_otherwise() {
        let resolution = |flags: &[_]| check(&[flags, &[("access", "open")]].concat()).unwrap().resolution;
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
    fn somebody_must_see_what_callers_must_not() {
        let operators = ("energy.expose", "operators");
        assert!(check(&[operators, ("admin.listen", "127.0.0.1:0")]).is_ok());
        assert!(check(&[operators, ("tokens", "/t")]).is_ok());
        let refused = check(&[operators]).unwrap_err().to_string();
        assert!(refused.starts_with("invalid value `operators` for --energy-expose: nobody could see"), "{refused}");
        let mistakes = check(&[operators, ("admin.listen", "9090")]).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    }

    #[test]
    fn operators_and_callers_have_two_addresses() {
        let both = |address| check(&[("listen", address), ("admin.listen", address)]);
        assert!(both("127.0.0.1:9090").unwrap_err().to_string().contains("callers have this address"));
        assert!(both("127.0.0.1:0").is_ok());
    }
}
