//! Sources that fail and recover while the daemon serves, and the simulated one.

use crate::prelude::*;

const SOURCE: &str = "nebula_energy_source_info";
const GAPS: &str = "nebula_gap_seconds_total";

/// The source that is read, and whether it measures.
fn source(metrics: &Exposition) -> (String, String) {
    let [series] = metrics.find(SOURCE, &[]).collect::<Vec<_>>()[..] else { panic!("{}", metrics.text) };
    (series.labels["source"].clone(), series.labels["measured"].clone())
}

/// Every zone of every source equals the sum of its accounts. Domains have one zone each here.
fn assert_balanced(metrics: &Exposition) {
    for zone in metrics.find(ZONE_ENERGY, &[]) {
        let of = [("zone", &*zone.labels["zone"]), ("source", &*zone.labels["source"])];
        assert_eq!(metrics.microjoules(ACCOUNT_ENERGY, &of), metrics.microjoules(ZONE_ENERGY, &of), "{of:?}");
    }
}

#[test]
fn the_model_stands_in_while_counters_are_gone() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let daemon = Daemon::start(&["--source auto --sysfs-root", tree.root(), "--window 20ms"]);
    let of_powercap = [("source", "powercap")];
    let of_model = [("source", "model")];
    package.advance(50_000);
    until("the counter is read", || daemon.metrics().microjoules(ZONE_ENERGY, &of_powercap) == 50_000);
    let before = daemon.metrics();
    assert_eq!(source(&before), ("powercap".into(), "true".into()));
    assert_eq!(before.find(ZONE_ENERGY, &of_model).count(), 0, "nobody has asked the model");
    assert_eq!(before.sum(GAPS, &[("reason", "lost")]), 0.0);

    package.vanish(7_000);
    until("the model takes over", || source(&daemon.metrics()) == ("model".into(), "false".into()));
    let fallen = daemon.metrics();
    assert!(fallen.sum(GAPS, &[("reason", "lost")]) > 0.0);
    let reason = fallen.find(SOURCE, &[]).next().unwrap().labels["reason"].clone();
    assert!(reason.contains("`powercap`: ") && reason.contains("`hwmon`: "), "{reason}");
    let modelled = eventually("calls are charged by the model", || {
        daemon.get("/invoke/fibonacci-recursive?input=20");
        let metrics = daemon.metrics();
        let charged = metrics.microjoules(FUNCTION_ENERGY, &[("source", "model"), ("component", "active")]) > 0;
        charged.then_some(metrics)
    });
    assert_balanced(&modelled);
    assert_eq!(modelled.microjoules(ZONE_ENERGY, &of_powercap), 50_000, "what is modelled is not measured");
    let ledger = daemon.get("/energy").json();
    assert_eq!((&ledger["source"]["kind"], &ledger["source"]["measured"]), (&"model".into(), &false.into()));
    assert_eq!(ledger["sums_by_source"]["powercap"]["total_microjoules"], 50_000);
    assert_eq!(ledger["sums_by_source"].as_object().unwrap().len(), 2);
    let zones = ledger["zones"].as_array().unwrap();
    let standing_by = zones.iter().find(|zone| zone["source"] == "powercap").unwrap();
    assert_eq!((&standing_by["failure"], &standing_by["watts_now"]), (&().into(), &().into()));
    assert!(zones.iter().any(|zone| zone["source"] == "model" && zone["measured"] == false), "{ledger}");

    package.come_back();
    until("the counters are read again", || source(&daemon.metrics()) == ("powercap".into(), "true".into()));
    // What was counted meanwhile has come to light, and belongs to no window.
    until("what was missed is found", || daemon.metrics().microjoules(ZONE_ENERGY, &of_powercap) == 57_000);
    let gap = [("source", "powercap"), ("account", "gap")];
    assert_eq!(daemon.metrics().microjoules(ACCOUNT_ENERGY, &gap), 7_000);
    let modelled = eventually("the model's last window is settled", || {
        let [first, second] = [(); 2].map(|()| {
            package.advance(1_000);
            let expected = daemon.metrics().microjoules(ZONE_ENERGY, &of_powercap);
            until("a window closes", || daemon.metrics().microjoules(ZONE_ENERGY, &of_powercap) > expected);
            daemon.metrics().microjoules(ZONE_ENERGY, &of_model)
        });
        (first == second).then_some(second)
    });
    assert!(modelled > 0);
    assert_balanced(&daemon.metrics());
    let log = daemon.stop();
    assert!(log.contains("WARN") && log.contains("`powercap` failed, switched to `model`: "), "{log}");
    assert!(log.contains("switched from `model` to `powercap`"), "{log}");
}

#[test]
fn simulated_energy_says_so_everywhere() {
    let daemon = Daemon::start(&["--source simulated --window 20ms"]);
    let energy = eventually("a call is charged", || {
        let envelope = daemon.get("/invoke/fibonacci-recursive?input=20&settle=true").json();
        (envelope["energy"]["active_joules"].as_f64() > Some(0.0)).then(|| envelope["energy"].clone())
    });
    assert_eq!(energy["source"], "simulated");
    let metrics = daemon.metrics();
    assert_eq!(source(&metrics), ("simulated".into(), "false".into()));
    assert!(metrics.series().filter_map(|series| series.labels.get("source")).all(|source| source == "simulated"));
    assert_balanced(&metrics);
    let ledger = daemon.get("/energy").json();
    assert_eq!(ledger["source"]["measured"], false);
    assert!(ledger["source"]["description"].as_str().unwrap().contains("nothing is measured"), "{ledger}");
    assert!(daemon.get("/").text().contains("made up"));
    assert!(daemon.stop().contains("nothing is measured, and every joule is made up"));
}
