//! Compares the crate `rapl-energy` with our own reader: on the same machine, both must read the same.
//!
//! The crate always reads `/sys`. So each test starts itself again in its own mount namespace, with a recorded tree in
//! place of `/sys`, if that is permitted.

#![cfg(feature = "rapl-energy")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

#[allow(dead_code, reason = "not everything is needed here")]
#[path = "fixtures/powercap/tree.rs"]
mod tree;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nebula_metering::Microjoules;
use nebula_metering::source::powercap::Powercap;
use nebula_metering::source::rapl_energy::{OpenRaplEnergyError, RaplEnergy};
use nebula_metering::source::{CounterSpec, ReadError, Source};
use nebula_metering::work::Moment;
use tree::Tree;

const DESKTOP: &str = include_str!("fixtures/powercap/desktop.tree");
const LAPTOP_A: &str = include_str!("fixtures/powercap/laptop-a.tree");
const LAPTOP_B: &str = include_str!("fixtures/powercap/laptop-b.tree");
const I7_4770S: &str = include_str!("fixtures/powercap/i7-4770s.tree");
const AMD_MIRRORED_DIES: &str = include_str!("fixtures/powercap/amd-mirrored-dies.tree");

/// Set in the process with the replaced `/sys`.
const INSIDE: &str = "NEBULA_TEST_MADE_UP_SYS";

fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Runs the test of this name again, with `tree` in place of `/sys`: directly as root, else in a user namespace. `None`
/// if neither is permitted.
fn inside(tree: &str, test: &str) -> Option<Output> {
    let tree = Tree::unpack(tree);
    let this = std::env::current_exe().expect("this program has a path");
    let script = "mount --bind \"$1\" /sys && shift && exec \"$@\"";
    for namespaces in ["-m", "-rm"] {
        let enter = |script: &str, arguments: &[&Path]| {
            let mut command = Command::new("unshare");
            command.args([namespaces, "sh", "-c", script, "sh"]).args(arguments);
            command
        };
        let may_mount =
            enter("mount --bind \"$1\" /sys", &[tree.root()]).output().is_ok_and(|tried| tried.status.success());
        if may_mount {
            let mut command = enter(script, &[tree.root(), &this]);
            command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
            return Some(command.output().expect("the program runs"));
        }
    }
    None
}

/// Runs `body` in each of the trees.
fn in_each(trees: &[&str], test: &str, body: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    for tree in trees {
        let Some(output) = inside(tree, test) else {
            return skip("no mount namespace may be made here");
        };
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}\nin {tree}");
    }
}

fn read_at(source: &mut dyn Source, millis: u64) -> Vec<Result<Microjoules, ReadError>> {
    let time = Duration::from_millis(millis);
    let mut readings = vec![Err(ReadError::Standby)];
    source.read(&Moment { monotonic: time, boottime: time, ..Moment::default() }, &mut readings);
    assert_eq!(readings.len(), source.counters().len());
    readings
}

/// What both must agree on.
fn known(spec: &CounterSpec) -> impl PartialEq + std::fmt::Debug + use<> {
    (spec.zone.clone(), spec.range, spec.quantum, spec.base, spec.relative_error)
}

/// Compares everything the crate finds with what we find. Ours is read before and after.
fn compare() {
    let mut ours = Powercap::open(Path::new("/sys")).expect("we can read what the crate can");
    let mut theirs = RaplEnergy::open().expect("the crate can read what we can");
    let (before, middle, after) = (read_at(&mut ours, 0), read_at(&mut theirs, 0), read_at(&mut ours, 1));
    for (spec, reading) in theirs.counters().iter().zip(&middle) {
        let place = ours.counters().iter().position(|our| our.zone == spec.zone).expect("a zone that we have too");
        assert_eq!(known(spec), known(&ours.counters()[place]));
        // The crate leaves out constraints without a time window, so its bound may be wider.
        assert!(spec.watts_max >= ours.counters()[place].watts_max, "{}", spec.zone);
        let value = |reading: &Result<Microjoules, ReadError>| reading.as_ref().expect("a reading").0;
        let (before, reading, after) = (value(&before[place]), value(reading), value(&after[place]));
        let wrapped = after < before;
        assert!(wrapped || (before..=after).contains(&reading), "{}: {before}, {reading}, {after}", spec.zone);
    }
    assert!(theirs.counters().iter().any(|spec| spec.zone.is_additive()));
}

#[test]
fn both_read_the_same_on_recorded_machines() {
    in_each(&[LAPTOP_A, LAPTOP_B, I7_4770S], "both_read_the_same_on_recorded_machines", compare);
}

#[test]
fn both_read_the_same_on_this_machine() {
    match std::fs::read("/sys/class/powercap/intel-rapl:0/energy_uj") {
        Ok(_) => compare(),
        Err(error) => skip(&format!("RAPL cannot be read here: {error}")),
    }
}

#[test]
fn zones_are_found_and_a_psys_is_not_added() {
    in_each(&[LAPTOP_B], "zones_are_found_and_a_psys_is_not_added", || {
        let source = RaplEnergy::open().expect("a package");
        assert_eq!(source.describe(), "rapl-energy: package-0 (added); core-0, uncore-0, psys (shown only)");
    });
}

#[test]
fn a_die_that_may_repeat_another_is_not_added() {
    in_each(&[AMD_MIRRORED_DIES], "a_die_that_may_repeat_another_is_not_added", || {
        let source = RaplEnergy::open().expect("a die");
        let added: Vec<_> = source.counters().iter().filter(|spec| spec.zone.is_additive()).collect();
        assert_eq!(added.len(), 1, "{}", source.describe());
    });
}

#[test]
fn a_panic_of_the_crate_is_a_failed_reading() {
    in_each(&[LAPTOP_A], "a_panic_of_the_crate_is_a_failed_reading", || {
        let counter = "/sys/class/powercap/intel-rapl/intel-rapl:0/energy_uj";
        let mut source = RaplEnergy::open().expect("a package");
        assert!(read_at(&mut source, 0).iter().all(Result::is_ok));
        std::fs::write(counter, "nonsense\n").unwrap();
        let refused = read_at(&mut source, 100);
        assert!(refused.iter().all(|reading| matches!(reading, Err(ReadError::ReadCounter { .. }))), "{refused:?}");
        let gone = |readings: Vec<Result<_, _>>| readings.iter().all(|one| matches!(one, Err(ReadError::ZoneGone)));
        assert!(gone(read_at(&mut source, 200)), "set up anew, in vain");
        std::fs::write(counter, "26963999999\n").unwrap();
        assert!(gone(read_at(&mut source, 1100)), "tried at most once a second");
        let back = read_at(&mut source, 1200);
        assert_eq!(back[0].as_ref().expect("a reading"), &Microjoules(26_963_999_999));
    });
}

#[test]
fn a_machine_without_rapl_has_none() {
    in_each(&["[class/powercap]"], "a_machine_without_rapl_has_none", || {
        assert!(matches!(RaplEnergy::open(), Err(OpenRaplEnergyError::NoPackage)));
    });
}

#[test]
fn a_machine_that_makes_the_crate_panic_has_none() {
    let nameless = "[class/powercap/intel-rapl/intel-rapl:0]\nenergy_uj = 1\n";
    // The desktop has an empty constraint, as some do.
    in_each(&[nameless, DESKTOP], "a_machine_that_makes_the_crate_panic_has_none", || {
        assert!(matches!(RaplEnergy::open(), Err(OpenRaplEnergyError::Panicked { .. })));
    });
}
