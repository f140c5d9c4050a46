use proptest::prelude::*;

use super::table::KEYS;
use super::*;

pub(crate) const CEILINGS: Ceilings = Ceilings {
    limits: nebula_runtime::Limits {
        wall: Duration::from_secs(30),
        memory: 128 << 20,
        table_elements: 0,
        stdout: 4 << 20,
        stderr: 0,
        files: 64,
    },
    concurrency: 256,
};

const FULL: &str = r#"
    env = { GREETING = "hello", TOKEN = "secret" }
    args = ["--fast"]
    entry = "main"
    outbound = ["https://api.example.com", "*.example.org"]
    network = ["tcp:db.example.com:5432"]
    reuse = "serial"
    priority = "low"
    routes = ["/shop", "/api.v2/cart"]

    [[directories]]
    host = "data"
    guest = "/data"
    writable = true

    [[directories]]
    host = "/srv/shared"
    guest = "/"
    special = true

    [limits]
    memory = "64MiB"
    wall = "5s"
    cpu = "1500ms"
    max_joules = "500mJ"
    output = "1MiB"
    concurrency = 4

    [quota]
    calls_per_second = 5
    concurrency = 8
    joules_per_hour = "2kJ"
"#;

fn parse(text: &str) -> Result<Manifest, Vec<String>> {
    Manifest::parse(text, &CEILINGS).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// The only mistake in `text`.
fn mistake(text: &str) -> String {
    let mut mistakes = parse(text).expect_err(text);
    assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
    mistakes.remove(0)
}

#[test]
fn an_empty_manifest_is_the_default() {
    assert_eq!(parse(""), Ok(Manifest::default()));
    assert_eq!(parse("env = {}\nargs = []\n[limits]"), Ok(Manifest::default()));
    assert_eq!(parse("reuse = 'fresh'").unwrap().reuse, Reuse::Fresh);
}

#[test]
fn a_full_manifest_is_read() {
    let text = |text: &str| text.to_owned();
    let expected = Manifest {
        env: [("GREETING", "hello"), ("TOKEN", "secret")].map(|(name, value)| (name.into(), value.into())).into(),
        args: vec![text("--fast")],
        entry: Some(text("main")),
        outbound: vec![text("https://api.example.com"), text("*.example.org")],
        network: vec![text("tcp:db.example.com:5432")],
        reuse: Reuse::Serial,
        priority: Priority::Low,
        routes: vec![text("/shop"), text("/api.v2/cart")],
        directories: vec![
            Directory { host: "data".into(), guest: "/data".into(), writable: true, special: false },
            Directory { host: "/srv/shared".into(), guest: "/".into(), writable: false, special: true },
        ],
        limits: Limits {
            memory: Some(64 << 20),
            wall: Some(Duration::from_secs(5)),
            cpu: Some(Duration::from_millis(1500)),
            max_joules: Some(Joules(0.5)),
            output: Some(1 << 20),
            concurrency: Some(4),
        },
        quota: Quota { calls_per_second: Some(5), concurrency: Some(8), joules_per_hour: Some(Joules(2000.0)) },
    };
    assert_eq!(parse(FULL), Ok(expected));
}

#[test]
fn every_known_key_is_read() {
    for key in KEYS {
        let text = match key.split_once('.') {
            None => format!("{key} = 1979-05-27"),
            Some(("directories", name)) => format!("directories = [{{ {name} = 1979-05-27 }}]"),
            Some((table, name)) => format!("{table} = {{ {name} = 1979-05-27 }}"),
        };
        let mistakes = parse(&text).expect_err(key);
        assert!(mistakes.iter().any(|mistake| mistake.contains("not a date or time")), "{key}: {mistakes:?}");
    }
}

#[test]
fn all_mistakes_are_reported_together() {
    let text = r#"
        memory = "64MiB"
        "limits.wall" = "5s"
        args = "--fast"
        env = { A = 1, "" = "x" }
        routes = ["/shop", "shop", "/metrics/mine", "/shop", 5]
        directories = [{ host = "../x", gust = "/a" }, 7, { host = "a", guest = "/a" }, { host = "b", guest = "/a" }]
        [limits]
        memory = "1GiB"
        wal = "5s"
        wall = "1m"
        cpu = 5
        max_joules = 0
        output = "5 parsecs"
        concurrency = 257
    "#;
    let expected = [
        r#"unknown key `"limits.wall"` in a manifest; did you mean `limits.wall`?"#,
        "unknown key `memory` in a manifest; did you mean `limits.memory`?",
        r#"invalid value `x` for `env.""`: a variable's name must not be empty or contain `=` or a NUL byte"#,
        "`env.A` must be text, not a whole number",
        "`args` must be a list, not text",
        "invalid value `shop` for `routes[1]`: it must be a path such as /shop or /api.v2/cart: no `/` at its end, no \
         empty, `.` or `..` parts, and no characters that a URL escapes",
        "invalid value `/metrics/mine` for `routes[2]`: `/metrics` is reserved for the daemon",
        "invalid value `/shop` for `routes[3]`: it is a duplicate",
        "`routes[4]` must be text, not a whole number",
        "unknown key `directories[0].gust` in a manifest; did you mean `directories.guest`?",
        "invalid value `../x` for `directories[0].host`: `..` may lead out of the manifest's folder; use an \
         absolute path for a directory elsewhere",
        "`directories[0].guest` is missing",
        "`directories[1]` must be a table, not a whole number",
        "invalid value `/a` for `directories[3].guest`: it is a duplicate",
        "unknown key `limits.wal` in a manifest; did you mean `limits.wall`?",
        "invalid value `1GiB` for `limits.memory`: the daemon allows at most 128MiB; ask for less, or raise its \
         option `limits.memory`",
        "invalid value `1m` for `limits.wall`: the daemon allows at most 30s; ask for less, or raise its option \
         `limits.wall`",
        "`limits.cpu` must be a duration, such as \"5s\", not a whole number",
        "invalid value `0` for `limits.max_joules`: it must be greater than 0",
        "invalid value `5 parsecs` for `limits.output`: a size is a whole number of bytes or has a unit, such as 64KiB \
         or 4MiB",
        "invalid value `257` for `limits.concurrency`: the daemon allows at most 256; ask for less, or raise its \
         option `limits.concurrency`",
    ];
    assert_eq!(parse(text).unwrap_err(), expected);
}

#[test]
fn a_syntax_error_names_its_line() {
    assert!(mistake("entry = 'a'\nargs = [").starts_with("line 2 is not TOML: "));
    assert!(mistake("entry = 'a'\nentry = 'b'").starts_with("line 2 is not TOML: "));
}

#[test]
fn limits_and_quotas_out_of_range_are_refused() {
    let limits = "memory = '128MiB' | memory = 65536 | wall = '30s' | wall = '1ms' | cpu = '1h' | output = 0 | \
                  output = '4MiB' | concurrency = 1 | concurrency = 256 | max_joules = '1uJ' | max_joules = 1e-6 | \
                  max_joules = 2 | max_joules = '1.5kJ'";
    let quotas = "calls_per_second = 1 | concurrency = 1000000 | joules_per_hour = '0.5kWh' | joules_per_hour = 0.1";
    for (table, good) in [("limits", limits), ("quota", quotas)] {
        for good in good.split(" | ") {
            assert!(parse(&format!("{table}.{good}")).is_ok(), "{table}.{good}");
        }
    }
    let limits = "memory = 134217729 | memory = 65535 | memory = -1 | memory = 1.5 | memory = '99999999999999999999' | \
                  wall = '30001ms' | wall = '999us' | cpu = '0s' | output = 4194305 | concurrency = 0 | \
                  concurrency = -1 | concurrency = 1.0 | concurrency = 9223372036854775807 | max_joules = '0J' | \
                  max_joules = -0.5 | max_joules = inf | max_joules = nan | max_joules = '5' | max_joules = true";
    let quotas = "calls_per_second = 0 | concurrency = 1000001 | concurrency = 1.5 | joules_per_hour = 0";
    for (table, bad) in [("limits", limits), ("quota", quotas)] {
        for bad in bad.split(" | ") {
            mistake(&format!("{table}.{bad}"));
        }
    }
}

#[test]
fn a_priority_is_one_of_three() {
    for priority in Priority::ALL {
        assert_eq!(parse(&format!("priority = '{}'", priority.as_str())).unwrap().priority, priority);
    }
    assert_eq!(parse("").unwrap().priority, Priority::Normal);
    assert!(mistake("priority = 'urgent'").contains("must be `low`, `normal` or `high`"));
}

#[test]
fn a_route_is_a_plain_path_below_its_own_first_segment() {
    for good in ["/shop", "/api.v2", "/a/metrics", "/metricsx", "/...", "/a-b_c~d/e:f@g"] {
        assert_eq!(parse(&format!("routes = ['{good}']")).unwrap().routes, [good]);
    }
    for own in crate::functions::OWN_PATHS {
        assert!(mistake(&format!("routes = ['/{own}']")).contains("reserved for the daemon"), "{own}");
        assert!(mistake(&format!("routes = ['/{own}/x']")).contains("reserved for the daemon"), "{own}");
    }
    for bad in ["", "/", "shop", "/a/", "//a", "/a//b", "/.", "/a/../b", "/a b", "/%61", "/a?b", "/a#b", "/ä", "/a\\b"]
    {
        assert!(mistake(&format!("routes = ['{bad}']")).contains("must be a path"), "{bad}");
    }
}

#[test]
fn a_directory_lies_below_the_manifest_or_has_an_absolute_path() {
    let directory =
        |host: &str, guest: &str| parse(&format!("directories = [{{ host = '{host}', guest = '{guest}' }}]"));
    for host in ["data", "./data", ".", "a/b", "/srv/data", "/srv/../data", "..data"] {
        assert!(directory(host, "/d").is_ok(), "{host}");
    }
    for host in ["", "..", "../data", "a/../b", "a/.."] {
        assert!(directory(host, "/d").is_err(), "{host}");
    }
    for guest in ["/", "/data", "/a/b c/ä"] {
        assert!(directory("d", guest).is_ok(), "{guest}");
    }
    for guest in ["", "data", "/data/", "//", "/a//b", "/a/./b", "/a/..", "."] {
        assert!(directory("d", guest).is_err(), "{guest}");
    }
    assert!(mistake(r#"directories = [{ host = "a\u0000", guest = "/d" }]"#).contains("directories[0].host"));
    assert!(mistake(r#"directories = [{ host = "a", guest = "/d\u0000" }]"#).contains("directories[0].guest"));
}

#[test]
fn arguments_and_variables_that_no_program_can_get_are_refused() {
    for bad in [r#"args = ["a\u0000"]"#, r#"env = { A = "\u0000" }"#, r#"env = { "A=B" = "x" }"#, "entry = ''"] {
        mistake(bad);
    }
    assert!(parse(r#"env = { "odd.name" = "x" }"#).is_ok());
}

#[test]
fn a_file_is_read_within_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.toml");
    let read = || Manifest::parse_at(&path, &Manifest::read_text(&path)?, &CEILINGS);
    assert!(matches!(read(), Err(ManifestError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound));

    std::fs::write(&path, FULL).unwrap();
    let directories = read().unwrap().directories;
    assert_eq!(directories[0].host, folder.path().join("data"));
    assert_eq!(directories[1].host, Path::new("/srv/shared"));

    std::fs::write(&path, "entri = 'a'\nreuse = 'often'").unwrap();
    let expected = format!(
        "the manifest `{}` cannot be used: unknown key `entri` in a manifest; did you mean `entry`?; invalid value \
         `often` for `reuse`: it must be `fresh` or `serial`",
        path.display()
    );
    assert_eq!(read().unwrap_err().to_string(), expected);

    std::fs::write(&path, [0xff]).unwrap();
    assert!(matches!(read(), Err(ManifestError::Read { source, .. }) if source.kind() == io::ErrorKind::InvalidData));

    std::fs::write(&path, " ".repeat(BYTES_MAX)).unwrap();
    assert!(read().is_ok());
    std::fs::write(&path, " ".repeat(BYTES_MAX + 1)).unwrap();
    assert!(matches!(read(), Err(ManifestError::TooLong { .. })));
}

#[test]
fn an_error_shows_the_beginning_of_a_long_value() {
    let mistake = mistake(&format!("entry = 'a'\nreuse = '{}'", "ä".repeat(5000)));
    assert_eq!(mistake, format!("invalid value `{}…` for `reuse`: it must be `fresh` or `serial`", "ä".repeat(60)));
}

#[test]
fn deep_nesting_is_refused() {
    let depth = BYTES_MAX / 2 - 10;
    assert!(parse(&format!("args = {}{}", "[".repeat(depth), "]".repeat(depth))).is_err());
}

/// Values of every kind, good and bad ones.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}").replace("NaN", "nan")),
        any::<bool>().prop_map(|value| value.to_string()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        any::<String>().prop_map(|text| toml::Value::String(text).to_string()),
        "[0-9.]{0,6} ?(us|ms|s|m|h|B|KiB|MiB|GiB|uJ|µJ|mJ|J|kJ)?".prop_map(|text| format!("'{text}'")),
        "(/?[a-z.%]{0,4}){0,4}".prop_map(|text| format!("'{text}'")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let pairs = (keys(), inner.clone()).prop_map(|(key, value)| format!("{{ {key} = {value} }}"));
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))), pairs]
    })
}

fn keys() -> impl Strategy<Value = String> {
    let known = prop::sample::select(KEYS).prop_map(|key| key.rsplit('.').next().unwrap_or(key).to_owned());
    prop_oneof![4 => known, 1 => any::<String>().prop_map(|key| format!("{key:?}")), 1 => "[a-z_]{1,8}"]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn no_value_makes_it_panic_or_exceeds_a_limit(pairs in prop::collection::vec((keys(), values()), 0..6)) {
        let lines = pairs.iter().map(|(key, value)| format!("{key} = {value}"));
        let text = lines.collect::<Vec<_>>().join("\n");
        if let Ok(manifest) = parse(&text) {
            prop_assert!(manifest.limits.memory.is_none_or(|bytes| bytes <= CEILINGS.limits.memory));
            prop_assert!(manifest.limits.wall.is_none_or(|time| time <= CEILINGS.limits.wall));
            prop_assert!(manifest.directories.iter().all(|directory| directory.guest.starts_with('/')));
        }
    }
}
