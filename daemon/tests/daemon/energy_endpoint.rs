//! `/energy`: the whole ledger, exactly.

use crate::prelude::*;

fn microjoules(value: &Value, name: &str) -> u64 {
    value[format!("{name}_microjoules")].as_u64().unwrap_or_else(|| panic!("{name}: {value}"))
}

/// Checks that accounts add up to their total, and functions to theirs.
fn assert_adds_up(accounts: &Value) {
    let sum: u64 = ["function", "runtime", "host", "base", "gap"].map(|name| microjoules(accounts, name)).iter().sum();
    assert_eq!(sum, microjoules(accounts, "total"));
    let charged = |function: &Value| microjoules(function, "active") + microjoules(function, "preparing");
    let functions: u64 = accounts["functions"].as_object().unwrap().values().map(charged).sum();
    assert_eq!(functions, microjoules(accounts, "function"));
    let joules = accounts["total_joules"].as_f64().unwrap();
    assert_eq!((joules * 1e6).round() as u64, microjoules(accounts, "total"));
}

#[test]
fn every_zone_has_its_accounts_and_all_of_them_their_sums() {
    let tree = Tree::new();
    let mut counters = [
        tree.zone("intel-rapl:0", "package-0", 0),
        tree.zone("intel-rapl:0:0", "dram", 0),
        tree.zone("intel-rapl:1", "package-1", 0),
        tree.zone("intel-rapl:2", "psys", 0),
    ];
    let daemon = tree.daemon(&["--window 20ms"]);
    let mut given = 0;
    let ledger = eventually("functions have been charged in every zone", || {
        given += 1;
        counters.iter_mut().enumerate().for_each(|(index, counter)| counter.advance(5_000 + index as u64));
        daemon.get("/invoke/fibonacci-recursive?input=20");
        let ledger = daemon.get("/energy").json();
        let zones = ledger["zones"].as_array().unwrap().clone();
        let charged = |zone: &Value| !zone["accounts"]["functions"]["fibonacci-recursive"].is_null();
        zones.iter().filter(|zone| zone["additive"] == true).all(charged).then_some(ledger)
    });
    assert!(microjoules(&ledger["sums"], "total") <= given * 15_006);
    let zones: Vec<_> = ledger["zones"].as_array().unwrap().iter().collect();
    let mut sum = 0;
    for zone in &zones {
        assert_eq!((&zone["source"], &zone["failure"]), (&"powercap".into(), &Value::Null));
        assert!(zone["watts_now"].as_f64().is_some(), "{zone}");
        if zone["zone"] == "psys" {
            assert_eq!((&zone["additive"], &zone["accounts"]), (&false.into(), &Value::Null));
            assert!(zone["reasons"]["accounts"].is_string() && microjoules(zone, "total") > 0, "{zone}");
            continue;
        }
        assert_eq!((&zone["additive"], &zone["residual_microjoules"]), (&true.into(), &0.into()));
        assert_adds_up(&zone["accounts"]);
        assert_eq!(microjoules(zone, "total"), microjoules(&zone["accounts"], "total"));
        sum += microjoules(zone, "total");
        for member in ["base_watts", "base_watts_uncertainty"] {
            assert!(zone[member].is_null() == zone["reasons"][member].is_string(), "{zone}");
        }
        let calibration = &zone["calibration"];
        assert_eq!(calibration["base_watts"], zone["base_watts"]);
        assert!(calibration["coefficients"].is_array(), "{zone}");
        let missing = calibration["state"].is_null() || calibration["base_watts"].is_null();
        assert!(missing == calibration["reason"].is_string(), "{zone}");
    }
    let identity =
        |zone: &&Value| format!("{}-{}", zone["zone"].as_str().unwrap(), zone["package"].as_str().unwrap_or(""));
    let mut identities: Vec<_> = zones.iter().map(identity).collect();
    identities.sort();
    assert_eq!(identities, ["dram-0", "package-0", "package-1", "psys-"]);
    assert_adds_up(&ledger["sums"]);
    assert_eq!((microjoules(&ledger["sums"], "total"), &ledger["residual_microjoules"]), (sum, &0.into()));
}

#[test]
fn the_ledger_shows_source_meter_and_gaps() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = tree.daemon(&["--window 20ms"]);
    let ledger = || daemon.get("/energy").json();
    package.fail(10);
    until("the loss is shown", || ledger()["gaps"]["lost"].as_f64() > Some(0.0));
    let lost = ledger();
    assert!(lost["zones"][0]["failure"].as_str().is_some_and(|why| why.contains("energy_uj")), "{lost}");
    assert_eq!((&lost["source"]["kind"], &lost["source"]["measured"]), (&"powercap".into(), &true.into()));
    assert_eq!((&lost["source"]["reason"], &lost["window_seconds"]), (&"asked for".into(), &0.02.into()));
    for member in ["description", "since"] {
        assert!(lost["source"][member].as_str().is_some_and(|text| !text.is_empty()), "{lost}");
    }
    let meter = eventually("the sampler has used some CPU time", || {
        let meter = ledger()["meter"].clone();
        (meter["cpu_seconds"].as_f64() > Some(0.0)).then_some(meter)
    });
    for share in ["share_of_one_processor", "share_of_one_processor_lately"] {
        assert!(meter[share].as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{meter}");
    }
    assert_eq!(meter["postings_dropped"], 0);
    let counters = meter["work_counters"].as_array().unwrap();
    assert_eq!(counters[0], "cpu_time");
    assert_eq!(counters.len() == 1, meter["reasons"]["work_counters"].is_string(), "{meter}");
    assert_eq!(daemon.post("/energy", "").status, 405);
    package.show();
    until("the energy is found", || microjoules(&ledger()["sums"], "gap") == 10);
    assert_eq!(ledger()["zones"][0]["failure"], Value::Null);
}
