use super::*;
use nebula_metering::Microjoules;
use std::collections::BTreeMap;

pub(super) fn check(
    flags: &[(&str, &str)],
    variables: &[(&str, &str)],
    file: &[(&str, &str)],
) -> Result<Config, Mistakes> {
    let find = |pairs: &[(&str, &str)], key: &str| {
        pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
    };
    let file: BTreeMap<_, _> = file.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let mut mistakes = Vec::new();
    let layers = Layers::stack(|key| find(flags, key), |key| find(variables, key), &file, &mut mistakes);
    Config::check(&layers, mistakes)
}

#[test]
fn every_default_is_good() {
    let config = check(&[], &[], &[]).unwrap();
    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.window, Duration::from_millis(100));
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let file = [("window", "3s"), ("policy", "usage"), ("limits.queue", "3")];
    let variables = [("NEBULA_WINDOW", "2s"), ("NEBULA_LIMITS_QUEUE", "2")];
    let config = check(&[("window", "1s")], &variables, &file).unwrap();
    assert_eq!((config.window, config.bounds.queue), (Duration::from_secs(1), 2));
    assert_eq!(config.policy, Policy::Usage);
}

#[test]
fn all_mistakes_are_reported_together() {
    let Err(Mistakes(mistakes)) = check(
        &[("listen", "8080"), ("source", "guess")],
        &[("NEBULA_WINDOW", "soon")],
        &[("limits.memory", "1KiB"), ("limits.stdoutt", "1MiB"), ("nonsense", "1")],
    ) else {
        panic!("the configuration is good")
    };
    let sources = Choice::all().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let guess = format!("`guess` is no good for --source: it is one of {sources}, off");
    assert_eq!(
        mistakes,
        [
            "`limits.stdoutt` in the configuration file is not an option; did you mean `limits.stdout`?",
            "`nonsense` in the configuration file is not an option",
            "`8080` is no good for --listen: an address goes with the port, such as 127.0.0.1:8080",
            guess.as_str(),
            "`soon` is no good for NEBULA_WINDOW: a duration is a number with its unit, such as 100ms, 30s or 2m",
            "`1KiB` is no good for limits.memory in the configuration file: it must be from 65536 to 4294967296 bytes",
        ]
    );
}

#[test]
fn limits_end_where_they_say() {
    for (key, least, below) in [("limits.memory", "65536", "65535"), ("limits.concurrency", "1", "0")] {
        assert!(check(&[(key, least)], &[], &[]).is_ok(), "{key}");
        assert!(check(&[(key, below)], &[], &[]).is_err(), "{key}");
    }
    for (key, most, above) in [("limits.concurrency", "10000", "10001"), ("runtime.tick", "60s", "61s")] {
        assert!(check(&[(key, most)], &[], &[]).is_ok(), "{key}");
        assert!(check(&[(key, above)], &[], &[]).is_err(), "{key}");
    }
}

#[test]
fn state_is_a_directory_and_its_cache_has_a_size() {
    let config = check(&[("state", "/s"), ("cache.size", "0")], &[], &[]).unwrap();
    assert_eq!((config.state, config.cache), (Some("/s".into()), 0));
    let config = check(&[], &[], &[]).unwrap();
    assert_eq!((config.state, config.cache), (None, 512 << 20));
    for wrong in [("state", ""), ("cache.size", "2000GiB"), ("cache.size", "much")] {
        assert!(check(&[wrong], &[], &[]).is_err(), "{wrong:?}");
    }
}

#[test]
fn strangers_are_shown_less_unless_something_else_is_said() {
    let resolution =
        |flags: &[(&str, &str)]| check(&[flags, &[("access", "open")]].concat(), &[], &[]).unwrap().resolution;
    for loopback in ["127.0.0.1:8080", "127.8.9.10:1", "[::1]:8080"] {
        assert_eq!(resolution(&[("listen", loopback)]), Resolution::Full, "{loopback}");
    }
    for open in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
        assert_eq!(resolution(&[("listen", open)]), Resolution::Step(Microjoules(100)), "{open}");
    }
    assert_eq!(resolution(&[("listen", "0.0.0.0:1"), ("energy.resolution", "full")]), Resolution::Full);
    assert_eq!(resolution(&[("energy.resolution", "1mJ")]), Resolution::Step(Microjoules(1000)));
    assert!(check(&[("energy.resolution", "1.5mJ")], &[], &[]).is_err());
}

#[test]
fn what_callers_must_not_see_somebody_must() {
    let operators = ("energy.expose", "operators");
    assert!(check(&[operators, ("admin.listen", "127.0.0.1:0")], &[], &[]).is_ok());
    assert!(check(&[operators, ("tokens", "/t")], &[], &[]).is_ok());
    assert_eq!(
        check(&[], &[], &[operators]).unwrap_err().to_string(),
        "`operators` is no good for energy.expose in the configuration file: nobody could see the joules; give \
         operators an address of their own with admin.listen, or tokens"
    );
    let mistakes = check(&[operators, ("admin.listen", "9090")], &[], &[]).unwrap_err();
    assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    let same = [("listen", "127.0.0.1:9090"), ("admin.listen", "127.0.0.1:9090")];
    assert!(check(&same, &[], &[]).unwrap_err().to_string().contains("callers have this address"));
    assert!(check(&[("listen", "127.0.0.1:0"), ("admin.listen", "127.0.0.1:0")], &[], &[]).is_ok());
}
