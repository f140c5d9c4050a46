//! DNS rebinding: a web page whose host name was made to lead to this machine.
//!
//! To its browser the daemon then has the page's own origin: the page may read every answer, and neither `Origin` nor CORS
//! stops it. But its requests carry that name as `Host`, which no script can change. So where clients need no token because
//! they are on this machine, they must use a name that nobody else can give out.
//!
//! Source: OWASP, "DNS Rebinding"; Jackson et al., "Protecting Browsers from DNS Rebinding Attacks", CCS 2007, section 5.

use std::net::IpAddr;

use crate::http::answer::denied::Denied;
use crate::http::host::Host;
use crate::http::settings::Names;

/// Refuses a request under a name that is neither this machine's nor listed. `local` is the address that it was sent to.
pub fn check(host: Option<Host<'_>>, names: &Names, local: IpAddr) -> Result<(), Denied> {
    match host {
        Some(host) if !(is_of_this_machine(host, local) || names.contains(host.name)) => {
            Err(Denied::ForeignHost(host.name.chars().take(100).collect()))
        }
        // Every browser sends a host; a request without one is a program's.
        _ => Ok(()),
    }
}

/// Whether a host means this machine wherever it is resolved. An address needs no resolving: a browser has really
/// connected to it. Source: RFC 6761, section 6.3, on `localhost`.
fn is_of_this_machine(host: Host<'_>, local: IpAddr) -> bool {
    if let Some(address) = host.address() {
        return address.is_loopback() || address == local.to_canonical();
    }
    let name = host.name.strip_suffix('.').unwrap_or(host.name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str) -> Result<(), Denied> {
        let names = Names(vec!["shop.example".into()]);
        check(Host::parse(host), &names, "::ffff:10.1.2.3".parse().unwrap())
    }

    #[test]
    fn only_names_of_this_machine_and_listed_ones_may_be_used() {
        for ours in [
            "localhost",
            "Localhost:8080",
            "localhost.:1",
            "x.localhost",
            "127.0.0.1:8080",
            "127.7.7.7",
            "[::1]:1",
            "10.1.2.3:80",
            "shop.example",
            "SHOP.example.:81",
        ] {
            assert_eq!(checked(ours), Ok(()), "{ours}");
        }
        for other in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "notlocalhost",
            "sub.shop.example",
            "[::2]",
        ] {
            assert!(matches!(checked(other), Err(Denied::ForeignHost(_))), "{other}");
        }
        assert_eq!(check(None, &Names::default(), "127.0.0.1".parse().unwrap()), Ok(()));
    }
}
