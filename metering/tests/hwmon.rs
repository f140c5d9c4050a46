//! The hwmon source on the trees of made-up machines: what it finds, what it adds, and what it refuses to add.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

#[allow(dead_code, reason = "what it has for powercap is not needed here")]
#[path = "fixtures/powercap/tree.rs"]
mod tree;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nebula_metering::source::hwmon::{Hwmon, OpenHwmonError};
use nebula_metering::source::{ReadError, Source, SourceKind};
use nebula_metering::work::Moment;
use nebula_metering::{Microjoules, Watts};
use tree::Tree;

const EPYC: &str = include_str!("fixtures/hwmon/epyc-amd-energy.tree");
const RACK: &str = include_str!("fixtures/hwmon/rack-power-meter.tree");
const JETSON: &str = include_str!("fixtures/hwmon/jetson-ina3221.tree");
const TWO_RAILS: &str = include_str!("fixtures/hwmon/board-two-rails.tree");
const GRAPHICS: &str = include_str!("fixtures/hwmon/desktop-graphics.tree");
const BULLDOZER: &str = include_str!("fixtures/hwmon/bulldozer.tree");

fn open(text: &str) -> (Tree, Hwmon) {
    let tree = Tree::unpack(text);
    let source = Hwmon::open(tree.root()).expect("a sensor that may be added");
    (tree, source)
}

fn read_at(source: &mut Hwmon, moment: &Moment) -> Vec<Result<Microjoules, ReadError>> {
    let mut readings = vec![Err(ReadError::Standby)];
    source.read(moment, &mut readings);
    assert_eq!(readings.len(), source.counters().len());
    readings
}

fn at(millis: u64) -> Moment {
    let time = Duration::from_millis(millis);
    Moment { monotonic: time, boottime: time, ..Moment::default() }
}

/// The energy of the zones that are added, by their names.
fn added(source: &mut Hwmon, moment: &Moment) -> Vec<(String, u64)> {
    let readings = read_at(source, moment);
    let zones = source.counters().iter().map(|spec| &spec.zone).zip(readings);
    let additive = zones.filter(|(zone, _)| zone.is_additive());
    additive.map(|(zone, reading)| (zone.to_string(), reading.expect("a reading").0)).collect()
}

#[test]
fn sockets_are_added_as_they_count_and_the_meter_around_them_is_shown() {
    let (tree, mut source) = open(EPYC);
    assert_eq!(source.kind(), SourceKind::Hwmon);
    assert_eq!(
        source.describe(),
        "hwmon: package-0, package-1 (added); amd_energy:Ecore000-0, amd_energy:Ecore001-0, power_meter:power-0 \
         (shown only)"
    );
    let socket = |energy: u64| ("package-0".to_owned(), energy);
    assert_eq!(added(&mut source, &at(0))[0], socket(98_001_234_567));
    fs::write(tree.root().join("class/hwmon/hwmon2/energy3_input"), "98001999999\n").unwrap();
    assert_eq!(added(&mut source, &at(100))[0], socket(98_001_999_999));
    for spec in source.counters().iter().filter(|spec| spec.zone.is_additive()) {
        assert_eq!((spec.range, spec.relative_error, spec.quantum), (None, 0.0, Microjoules(16)));
        assert_eq!(spec.watts_max, Watts(2000.0));
    }
}

#[test]
fn the_only_meter_is_the_platform_and_its_power_is_summed_up() {
    let (tree, mut source) = open(RACK);
    let platform = |energy: u64| vec![("platform".to_owned(), energy)];
    assert_eq!(added(&mut source, &at(5000)), platform(0));
    fs::write(tree.root().join("class/hwmon/hwmon1/device/power1_average"), "250000000\n").unwrap();
    assert_eq!(added(&mut source, &at(5100)), platform(20_000_000), "200 W in the mean for 100 ms");
    let [spec] = source.counters() else { panic!("one counter") };
    assert_eq!(spec.quantum, Microjoules(1));
    // What it states, 2.5 %, rounded up, and what is missed between two readings.
    assert!((spec.relative_error - 0.08).abs() < 1e-9, "{}", spec.relative_error);
    assert_eq!(source.describe(), "hwmon: platform (added, ±8 %)");
}

#[test]
fn time_asleep_is_not_summed_up() {
    let (_tree, mut source) = open(RACK);
    added(&mut source, &at(0));
    let woken = Moment { boottime: Duration::from_hours(8), ..at(100) };
    assert_eq!(added(&mut source, &woken), [("platform".to_owned(), 15_000_000)]);
}

#[test]
fn a_failed_reading_adds_nothing_and_loses_nothing_from_before() {
    let (tree, mut source) = open(RACK);
    let file = tree.root().join("class/hwmon/hwmon1/device/power1_average");
    added(&mut source, &at(0));
    assert_eq!(added(&mut source, &at(1000)), [("platform".to_owned(), 150_000_000)]);
    fs::write(&file, "-1\n").unwrap();
    let refused = read_at(&mut source, &at(2000)).remove(0);
    let Err(ReadError::ReadCounter { source: cause, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(cause.to_string(), "it reads `-1`, which is not a number of microwatts");
    fs::write(&file, "100000000\n").unwrap();
    assert_eq!(added(&mut source, &at(3000)), [("platform".to_owned(), 150_000_000)]);
    assert_eq!(added(&mut source, &at(4000)), [("platform".to_owned(), 250_000_000)]);
}

#[test]
fn the_input_of_a_board_is_added_and_the_rails_behind_it_are_shown() {
    let (_tree, mut source) = open(JETSON);
    assert_eq!(
        source.describe(),
        "hwmon: platform (added, ±10 %); ina3221:VDD_CPU_GPU_CV-0, ina3221:VDD_SOC-0 (shown only)"
    );
    added(&mut source, &at(0));
    // 5000 mV · 1200 mA for a second.
    assert_eq!(added(&mut source, &at(1000)), [("platform".to_owned(), 6_000_000)]);
}

#[test]
fn a_device_that_counts_energy_is_not_sampled_besides() {
    let both = "[class/hwmon/hwmon0]\nname = ina228\nenergy1_input = 777\npower1_input = 5\npower2_input = 6";
    let (_tree, mut source) = open(both);
    assert_eq!(source.describe(), "hwmon: platform (added, ±5 %)");
    assert_eq!(added(&mut source, &at(0)), [("platform".to_owned(), 777)]);
}

#[test]
fn each_package_of_family_15h_has_its_power() {
    let (_tree, mut source) = open(BULLDOZER);
    added(&mut source, &at(0));
    let energy = added(&mut source, &at(1000));
    assert_eq!(energy, [("package-0".to_owned(), 62_000_000), ("package-1".to_owned(), 48_000_000)]);
    assert!(source.problems().is_empty(), "{:?}", source.problems());
}

#[test]
fn rails_that_may_contain_each_other_are_refused() {
    let error = Hwmon::open(Tree::unpack(TWO_RAILS).root()).expect_err("nothing that may be added");
    assert_eq!(
        error.to_string(),
        "cannot tell which of these sensors measures the whole machine: `ina226:power-0`, `ina226:power-1`"
    );
}

#[test]
fn a_graphics_card_does_not_stand_for_the_machine() {
    let error = Hwmon::open(Tree::unpack(GRAPHICS).root()).expect_err("nothing that may be added");
    assert!(matches!(error, OpenHwmonError::NoAdditiveSensor { .. }));
    assert!(error.to_string().ends_with("measures the machine or its processors: `amdgpu:PPT-0`"), "{error}");
}

#[test]
fn each_reason_for_having_nothing_has_its_own_error() {
    let refusal = |text| Hwmon::open(Tree::unpack(text).root()).expect_err("nothing to read");
    assert!(matches!(refusal(""), OpenHwmonError::NoClass { .. }));
    assert!(matches!(refusal("[class/hwmon]"), OpenHwmonError::NoSensor { .. }));
    assert!(matches!(
        refusal("[class/hwmon/hwmon0]\nname = k10temp\ntemp1_input = 1"),
        OpenHwmonError::NoSensor { .. }
    ));
    let broken = "[class/hwmon/hwmon0]\nname = power_meter\npower1_average/";
    assert!(matches!(refusal(broken), OpenHwmonError::ReadSensors { .. }));
}

#[test]
fn a_sensor_for_root_alone_is_forbidden() {
    let tree = Tree::unpack(RACK);
    let file = tree.root().join("class/hwmon/hwmon1/device/power1_average");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&file).is_ok() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this process may read every file");
        return;
    }
    assert!(matches!(Hwmon::open(tree.root()), Err(OpenHwmonError::Forbidden { .. })));
}
