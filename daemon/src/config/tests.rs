use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::units::Policy;

fn check(flags: &[(&str, &str)], variables: &[(&str, &str)], file: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let find = |pairs: &[(&str, &str)], key: &str| {
        pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
    };
    let file = file.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Config::from_layers(|key| find(flags, key), |key| find(variables, key), &file, Vec::new())
}

#[test]
fn every_default_is_valid_and_every_key_unique() {
    let config = check(&[], &[], &[]).unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.meter.window, Duration::from_millis(100));
    let keys: BTreeSet<_> = options().map(|option| option.key).collect();
    assert_eq!(keys.len(), options().count());
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let file = [("window", "3s"), ("policy", "usage"), ("limits.queue", "3")];
    let variables = [("NEBULA_WINDOW", "2s"), ("NEBULA_LIMITS_QUEUE", "2")];
    let config = check(&[("window", "1s")], &variables, &file).unwrap();
    assert_eq!((config.meter.window, config.invocation.queue), (Duration::from_secs(1), 2));
    assert_eq!(config.meter.policy, Policy::Usage);
}

#[test]
fn mistakes_of_all_rooms_are_reported_together() {
    let Err(Mistakes(mistakes)) = check(
        &[("listen", "8080"), ("source", "guess")],
        &[("NEBULA_WINDOW", "soon")],
        &[("limits.memory", "1KiB"), ("limits.stdoutt", "1MiB"), ("nonsense", "1")],
    ) else {
        panic!("the configuration is valid")
    };
    let sources = meter::Choice::all().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let guess = format!("invalid value `guess` for --source: it must be one of {sources}, off");
    assert_eq!(
        mistakes,
        [
            "`limits.stdoutt` in the configuration file is not an option; did you mean `limits.stdout`?",
            "`nonsense` in the configuration file is not an option",
            "invalid value `8080` for --listen: a port needs an address, such as 127.0.0.1:8080",
            "invalid value `1KiB` for limits.memory in the configuration file: it must be from 65536 to 4294967296 bytes",
            guess.as_str(),
            "invalid value `soon` for NEBULA_WINDOW: a duration is a number with its unit, such as 100ms, 30s or 2m",
        ]
    );
}

#[test]
fn joules_cannot_be_bounded_if_nothing_is_measured() {
    let off = ("source", "off");
    let refused = check(&[off, ("power.max", "40W")], &[], &[("quota.joules-per-hour", "5J")]).unwrap_err();
    assert_eq!(
        refused.0,
        [
            "invalid value `5J` for quota.joules-per-hour in the configuration file: nothing is measured (`source` is `off`)",
            "invalid value `40W` for --power-max: nothing is measured (`source` is `off`)",
        ]
    );
    assert!(check(&[off, ("quota.calls-per-second", "5")], &[], &[]).is_ok());
}

#[test]
fn state_must_name_a_directory() {
    assert_eq!(check(&[("state", "/s")], &[], &[]).unwrap().state, Some("/s".into()));
    assert!(check(&[("state", "")], &[], &[]).is_err());
}
