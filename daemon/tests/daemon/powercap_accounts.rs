//! The accounts, checked against a made-up powercap tree: the test has given out every microjoule itself.

use std::thread;
use std::time::Duration;

use crate::powercap_tree::{MODULUS, RANGE};
use crate::prelude::*;

const OBSERVED: &str = "nebula_observed_energy_joules_total";

/// How often the counters move.
const STEPS: u64 = 150;

fn gap(daemon: &Daemon, reason: &str) -> f64 {
    daemon.metric("nebula_gap_seconds_total", &[("reason", reason)])
}

fn await_energy(daemon: &Daemon, zone: &str, expected: u64) {
    let energy = || daemon.metrics().microjoules(ZONE_ENERGY, &[("zone", zone)]);
    until(&format!("{zone} is {expected}"), || energy() == expected);
}

/// Each zone is the sum of its accounts, and the account of functions that of each function.
fn assert_balanced(metrics: &Exposition) {
    for zone in ["package", "dram"] {
        let accounts = metrics.microjoules(ACCOUNT_ENERGY, &[("zone", zone)]);
        assert_eq!(metrics.microjoules(ZONE_ENERGY, &[("zone", zone)]), accounts, "{zone}");
        let functions = metrics.charged_to_functions(&[("zone", zone)]);
        assert_eq!(
            metrics.microjoules(ACCOUNT_ENERGY, &[("zone", zone), ("account", "function")]),
            functions,
            "{zone}"
        );
    }
}

#[test]
fn every_microjoule_of_the_counters_is_in_an_account() {
    let tree = Tree::new();
    // The package is two joules before its wrap.
    let mut package = tree.zone("intel-rapl:0", "package-0", RANGE - 2_000_000);
    let mut core = tree.zone("intel-rapl:0:0", "core", 7);
    let mut dram = tree.zone("intel-rapl:0:1", "dram", 1_000_000);
    let mut psys = tree.zone("intel-rapl:1", "psys", 0);
    // The first reading is made before the daemon listens, and the tree has stood still until then.
    let daemon = tree.daemon(&["--window 20ms"]);
    thread::scope(|scope| {
        let counting = scope.spawn(|| {
            for _ in 0..STEPS {
                package.advance(50_021);
                core.advance(30_003);
                dram.advance(7_001);
                psys.advance(90_007);
                thread::sleep(Duration::from_millis(10));
            }
        });
        while !counting.is_finished() {
            let envelope = daemon.get("/invoke/fibonacci-recursive?input=24").json();
            assert_eq!(envelope["energy"]["source"], "powercap");
            assert_eq!(daemon.get("/invoke/unreachable").status, 500);
            assert_balanced(&daemon.metrics());
        }
    });
    let given = STEPS * 50_021;
    assert!(RANGE - 2_000_000 + given > MODULUS, "the package has wrapped");
    // A counter that wraps shows what it has counted less the modulus, which is more than the range.
    let expected = [
        (ZONE_ENERGY, "package", given),
        (ZONE_ENERGY, "dram", STEPS * 7_001),
        (OBSERVED, "core", STEPS * 30_003),
        (OBSERVED, "psys", STEPS * 90_007),
    ];
    for (name, zone, expected) in expected {
        until(&format!("{zone} is {expected}"), || {
            daemon.metrics().microjoules(name, &[("zone", zone), ("source", "powercap")]) == expected
        });
    }
    let metrics = daemon.metrics();
    assert_balanced(&metrics);
    for zone in ["core", "psys"] {
        assert_eq!(metrics.find(ZONE_ENERGY, &[("zone", zone)]).count(), 0, "{zone} is never added");
        assert_eq!(metrics.find(ACCOUNT_ENERGY, &[("zone", zone)]).count(), 0, "{zone} has no accounts");
    }
    for function in ["fibonacci-recursive", "unreachable"] {
        let active = [("function", function), ("component", "active")];
        assert!(metrics.microjoules(FUNCTION_ENERGY, &active) > 0, "{function}");
    }
    assert_eq!(gap(&daemon, "lost"), 0.0);
    assert_eq!(metrics.sum("nebula_energy_source_info", &[("source", "powercap"), ("measured", "true")]), 1.0);
}

#[test]
fn no_energy_is_lost_while_a_counter_cannot_be_read() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 0);
    let mut dram = tree.zone("intel-rapl:0:0", "dram", 0);
    let daemon = tree.daemon(&["--window 20ms"]);
    package.advance(40_000);
    await_energy(&daemon, "package", 40_000);

    package.fail(123_456);
    until("the loss is noticed", || gap(&daemon, "lost") > 0.0);
    let before = gap(&daemon, "lost");
    until("the gap grows", || gap(&daemon, "lost") > before);
    dram.advance(2_000);
    await_energy(&daemon, "dram", 2_000);
    assert_eq!(daemon.get("/invoke/answer").status, 200, "calls do not need the source");
    await_energy(&daemon, "package", 40_000);

    package.show();
    await_energy(&daemon, "package", 163_456);
    let metrics = daemon.metrics();
    assert_balanced(&metrics);
    assert_eq!(metrics.microjoules(ACCOUNT_ENERGY, &[("account", "gap"), ("zone", "package")]), 123_456);
    package.advance(1_000);
    await_energy(&daemon, "package", 164_456);
    let before = gap(&daemon, "lost");
    dram.advance(1);
    await_energy(&daemon, "dram", 2_001);
    assert_eq!(gap(&daemon, "lost"), before, "the gap has ended");
}

#[test]
fn a_counter_that_is_set_back_is_a_gap() {
    let tree = Tree::new();
    let mut package = tree.zone("intel-rapl:0", "package-0", 90_000_000);
    let daemon = tree.daemon(&["--window 20ms"]);
    package.advance(50_000);
    await_energy(&daemon, "package", 50_000);
    package.jump(5_000);
    until("the reset is noticed", || gap(&daemon, "reset") > 0.0);
    // The next reading has to confirm where the counter stands now; a later one is a window again.
    let seen = gap(&daemon, "reset");
    let energy = || daemon.metrics().microjoules(ZONE_ENERGY, &[("zone", "package")]);
    for _ in 0..5 {
        let before = energy();
        package.advance(10_000);
        until("a window is closed", || energy() > before);
    }
    assert_eq!(energy(), 50_000 + 5 * 10_000);
    assert_eq!(gap(&daemon, "reset"), seen, "it was set back once");
    assert_balanced(&daemon.metrics());
}
