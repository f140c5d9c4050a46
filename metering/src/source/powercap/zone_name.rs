//! The `name` of a zone, which says what it counts. A zone is identified by this name and its package, never by the
//! index.

use crate::zone::{Domain, Zone};

/// Longest name that is accepted. The kernel needs at most 30 bytes (`PACKAGE_DOMAIN_NAME_LENGTH`), and the name
/// becomes a label.
const NAME_BYTES_MAX: usize = 64;

/// Parses the `name` file of a zone inside `around`, or of a top-level zone.
///
/// The kernel writes `package-N`, `package-N-die-M`, `core`, `uncore`, `dram`, `psys` and, for the platform counter of
/// another package, `psys-N`. Anything else becomes [`Domain::Other`]. `None` if it cannot be a name: empty, too long,
/// or with control characters.
pub(in crate::source) fn parse_zone_name(text: &str, around: Option<&Zone>) -> Option<Zone> {
    let name = text.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return None;
    }
    if let Some(package) = name.strip_prefix("package-").filter(|package| is_package(package)) {
        return Some(Zone::new(Domain::Package, package));
    }
    if let Some(package) = name.strip_prefix("psys-").filter(|package| is_number(package)) {
        return Some(Zone::new(Domain::Psys, package));
    }
    let package = around.map_or("", |zone| &zone.package);
    Some(match name {
        "psys" => Zone::new(Domain::Psys, ""),
        "core" => Zone::new(Domain::Core, package),
        "uncore" => Zone::new(Domain::Uncore, package),
        "dram" => Zone::new(Domain::Dram, package),
        other => Zone::new(Domain::Other(other.into()), package),
    })
}

/// Whether this is `N` or `N-die-M`.
fn is_package(text: &str) -> bool {
    match text.split_once("-die-") {
        Some((package, die)) => is_number(package) && is_number(die),
        None => is_number(text),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernels_names_become_zones() {
        let around = Zone::new(Domain::Package, "1");
        for (name, around, zone) in [
            ("package-0\n", None, Zone::new(Domain::Package, "0")),
            ("package-10-die-1", None, Zone::new(Domain::Package, "10-die-1")),
            ("core", Some(&around), Zone::new(Domain::Core, "1")),
            ("uncore", Some(&around), Zone::new(Domain::Uncore, "1")),
            ("dram", Some(&around), Zone::new(Domain::Dram, "1")),
            ("dram", None, Zone::new(Domain::Dram, "")),
            ("psys", None, Zone::new(Domain::Psys, "")),
            ("psys", Some(&around), Zone::new(Domain::Psys, "")),
            ("psys-1", None, Zone::new(Domain::Psys, "1")),
        ] {
            assert_eq!(parse_zone_name(name, around), Some(zone), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_kept_as_other_and_never_added() {
        for name in ["npu", "package-", "package-x", "package-0-die-", "package-0-tile-1", "psys-", "PSYS"] {
            let zone = parse_zone_name(name, None).expect(name);
            assert_eq!(zone.domain, Domain::Other(name.into()));
            assert!(!zone.is_additive(), "{name}");
        }
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for name in ["", " \n", "co\u{0}re", &"x".repeat(65)] {
            assert_eq!(parse_zone_name(name, None), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>(), name in "(package|psys|dram)?[-0-9die]{0,12}") {
            let _ = (parse_zone_name(&text, None), parse_zone_name(&name, None));
        }
    }
}
