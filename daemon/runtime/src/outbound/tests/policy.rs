//! Which hosts an entry of a manifest allows, and which it does not.

use std::net::Ipv6Addr;

use hyper::http::uri::Authority;
use proptest::prelude::*;

use crate::outbound::Policy;
use crate::outbound::destination::Destination;

fn policy(entries: &[&str]) -> Policy {
    Policy::parse(entries.iter().copied()).expect("entries")
}

fn allows(policy: &Policy, url: &str) -> bool {
    let (scheme, authority) = url.split_once("://").expect("a scheme");
    let Ok(authority) = authority.parse() else { return false };
    let destination = Destination::of(&scheme.parse().expect("a scheme"), &authority);
    destination.is_some_and(|destination| policy.covers(&destination))
}

#[test]
fn what_is_listed_is_allowed_and_nothing_else() {
    for (entry, allowed, refused) in [
        (
            "https://api.example.com",
            "https://api.example.com https://API.example.COM. https://api.example.com:443",
            "http://api.example.com http://api.example.com:443 https://api.example.com:8443 https://example.com \
             https://x.api.example.com https://api.example.com.evil.org https://api.example.com@evil.org \
             https://user@api.example.com https://user:secret@api.example.com https://api.example.com: \
             https://api.example.com:0 https://api.example.com:65979 https://api.example.com.. \
             https://api%2eexample.com ftp://api.example.com:443",
        ),
        ("api.example.com", "https://api.example.com", "http://api.example.com"),
        ("api.example.com:8443", "https://api.example.com:8443", "https://api.example.com"),
        (
            "*.example.org",
            "https://a.example.org https://a.b.EXAMPLE.org",
            "https://example.org https://aexample.org https://.example.org https://a.example.org.evil",
        ),
        (
            "http://127.0.0.1:8081",
            "http://127.0.0.1:8081 http://[::ffff:127.0.0.1]:8081 http://[::FFFF:7f00:1]:8081",
            "http://127.0.0.1 http://127.0.0.2:8081 http://127.1:8081 http://0x7f000001:8081 http://2130706433:8081 \
             http://127.0.0.1.:8081 http://0177.0.0.1:8081 http://localhost:8081 http://[::1]:8081",
        ),
        (
            "http://[::1]:80",
            "http://[::1] http://[0:0:0:0:0:0:0:1]:80",
            "http://[::2] http://127.0.0.1 http://[::1%25eth0]",
        ),
        (
            "https://*",
            "https://example.com https://10.0.0.1 https://[2001:db8::1]",
            "http://example.com https://example.com:8443 https://u@example.com https://0x7f.1",
        ),
        ("http://*:8080", "http://localhost:8080", "http://localhost https://localhost:8080"),
        ("HTTPS://Under_score.Example.com", "https://under_score.example.com", "https://score.example.com"),
    ] {
        let policy = policy(&[entry]);
        for url in allowed.split(' ') {
            assert!(allows(&policy, url), "{entry} allows {url}");
        }
        for url in refused.split(' ') {
            assert!(!allows(&policy, url), "{entry} refuses {url}");
        }
    }
}

#[test]
fn entries_add_up_and_none_allow_nothing() {
    let two = policy(&["a.example", "http://b.example"]);
    assert!(allows(&two, "https://a.example") && allows(&two, "http://b.example"));
    assert!(!allows(&two, "http://a.example") && !allows(&two, "https://b.example"));
    for none in [Policy::default(), policy(&[])] {
        assert!(!allows(&none, "https://example.com") && !allows(&none, "http://127.0.0.1"));
    }
}

#[test]
fn all_mistakes_are_reported_together_and_name_their_entry() {
    let bad = [
        ("a scheme", "ftp://example.com|://example.com| https://example.com"),
        ("more than", "https://example.com/|a.example/path|a.example?q|https://u:p@a.example"),
        ("a port", "a.example:0|a.example:|a.example:65536|a.example:+80|[::1]:x"),
        (
            "no host",
            "|https://|*.|**|a.*.example|*a.example|*.127.0.0.1|*.[::1]|2001:db8::1|[::1|[::1]80|[127.0.0.1]|127.1|\
             1.2.3.4.5|0x7f.0x1|a..b|.a|bücher.example|a b|a.example,b.example",
        ),
    ];
    let bad = bad.into_iter().flat_map(|(why, entries)| entries.split('|').map(move |entry| (entry, why)));
    let entries = bad.clone().map(|(entry, _)| entry).chain(["good.example"]);
    let errors = Policy::parse(entries).expect_err("mistakes");
    assert_eq!(errors.len(), bad.clone().count(), "{errors:?}");
    for (error, (entry, why)) in errors.iter().zip(bad) {
        let text = error.to_string();
        assert!(text.contains(&format!("`{entry}`")) && text.contains(why), "{entry}: {text}");
    }
}

#[test]
fn a_policy_includes_what_it_allows_and_nothing_more() {
    let outer = policy(&["https://*", "http://*.example.org:8080", "http://10.0.0.1"]);
    for inner in [
        "api.example.com",
        "*.example.com",
        "*",
        "1.1.1.1",
        "http://a.example.org:8080",
        "http://*.a.example.org:8080",
        "http://10.0.0.1",
    ] {
        assert!(outer.includes(&policy(&[inner])), "{inner}");
    }
    for inner in [
        "http://*",
        "a.example.com:8443",
        "http://example.org:8080",
        "http://*.xexample.org:8080",
        "http://10.0.0.2",
        "http://*:8080",
    ] {
        assert!(!outer.includes(&policy(&["api.example.com", inner])), "{inner}");
    }
    assert!(Policy::default().includes(&policy(&[])) && !Policy::default().includes(&outer));
}

#[test]
fn names_may_be_as_long_as_resolvers_allow() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    assert!(allows(&policy(&[&longest]), &format!("https://{longest}")));
    for name in [format!("{longest}a"), format!("{label}a.example")] {
        let errors = Policy::parse([name.as_str()]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].to_string().contains("no host"), "{errors:?}");
    }
}

proptest! {
    #[test]
    fn a_name_allows_no_other_host(
        authority in "[a-zA-Z0-9.:@%_\\[\\]*-]{1,40}|(x\\.)?[aA]\\.b[.:@0-9a-z]{0,8}|a\\.b\\.?(:0{0,9}443)?",
    ) {
        let Ok(parsed) = authority.parse::<Authority>() else { return Ok(()) };
        let lower = authority.to_ascii_lowercase();
        let meant = lower.strip_prefix("a.b").is_some_and(|rest| {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.trim_start_matches('0') == "443")
        });
        prop_assert_eq!(allows(&policy(&["a.b"]), &format!("https://{parsed}")), meant);
    }

    #[test]
    fn a_listed_host_is_allowed_however_it_is_written(
        labels in proptest::collection::vec("[a-z][a-z0-9-]{0,10}", 1..5),
        port in 1u16..,
        upper: bool,
    ) {
        let name = labels.join(".");
        let policy = policy(&[&format!("http://{name}:{port}"), &format!("http://*.{name}:{port}")]);
        let asked = if upper { name.to_ascii_uppercase() } else { name };
        let asked = format!("{asked}:{port}");
        for (url, allowed) in [
            (format!("http://{asked}"), true),
            (format!("http://www.{asked}"), true),
            (format!("http://www{asked}"), false),
            (format!("https://{asked}"), false),
        ] {
            prop_assert_eq!(allows(&policy, &url), allowed, "{}", url);
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses(bits: u128, port in 1u16..) {
        let address = Ipv6Addr::from(bits);
        let policy = policy(&[&format!("http://[{address}]:{port}")]);
        let long = address.segments().map(|segment| format!("{segment:04X}")).join(":");
        let other = Ipv6Addr::from(bits ^ 1);
        for (url, allowed) in [(format!("http://[{long}]:{port}"), true), (format!("http://[{other}]:{port}"), false)] {
            prop_assert_eq!(allows(&policy, &url), allowed, "{}", url);
        }
    }

    #[test]
    fn an_error_names_the_entry_whatever_it_is(entry in ".*") {
        if let Err(errors) = Policy::parse([entry.as_str()]) {
            prop_assert!(errors[0].to_string().contains(entry.as_str()));
        }
    }
}
