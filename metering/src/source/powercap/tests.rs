//! Zones that go and come back. A file of a temporary directory outlives its removal, unlike one of sysfs, so that
//! these tests take the open file away from inside: one opened for writing alone answers `EBADF`.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::Powercap;
use crate::source::{ReadError, Source};
use crate::units::Microjoules;
use crate::work::Moment;

fn add_zone(root: &Path, id: &str, name: &str, energy: u64) {
    let directory = root.join("class/powercap").join(id);
    fs::create_dir_all(&directory).expect("a zone's directory");
    fs::write(directory.join("name"), name).expect("a name");
    fs::write(directory.join("max_energy_range_uj"), "262143328850\n").expect("a range");
    fs::write(directory.join("energy_uj"), energy.to_string()).expect("a counter");
}

fn remove_zone(root: &Path, source: &mut Powercap, id: &str) {
    let directory = root.join("class/powercap").join(id);
    let files = source.files.iter_mut().chain(source.suspects.iter_mut().map(|suspect| &mut suspect.file));
    for file in files.flatten().filter(|file| file.0.path.starts_with(&directory)) {
        file.0.file = File::options().write(true).open("/dev/null").expect("a file that cannot be read");
    }
    fs::remove_dir_all(directory).expect("a zone to remove");
}

/// Reads at so many milliseconds, and gives `None` for a zone that is gone.
fn read_at(source: &mut Powercap, millis: u64) -> Vec<Option<u64>> {
    let moment = Moment { monotonic: Duration::from_millis(millis), ..Moment::default() };
    let mut readings = Vec::new();
    source.read(&moment, &mut readings);
    assert_eq!(readings.len(), source.counters().len());
    let shown = readings.into_iter().map(|reading| match reading {
        Ok(Microjoules(energy)) => Some(energy),
        Err(ReadError::ZoneGone) => None,
        Err(error) => panic!("{error:?}"),
    });
    shown.collect()
}

fn zones(source: &Powercap) -> Vec<String> {
    source.counters().iter().map(|spec| spec.zone.to_string()).collect()
}

#[test]
fn a_zone_that_comes_back_continues_at_its_place_whatever_its_id() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    add_zone(root, "intel-rapl:0", "package-0", 10);
    add_zone(root, "intel-rapl:1", "package-1", 20);
    let mut source = Powercap::open(root).expect("two packages");
    remove_zone(root, &mut source, "intel-rapl:0");
    assert_eq!(read_at(&mut source, 0), [None, Some(20)]);
    assert_eq!(read_at(&mut source, 10), [None, Some(20)], "searched for, and still gone");
    add_zone(root, "intel-rapl:2", "package-0", 30);
    assert_eq!(read_at(&mut source, 1010), [Some(30), Some(20)]);
    assert_eq!(zones(&source), ["package-0", "package-1"]);
}

#[test]
fn a_zone_is_searched_for_at_most_once_a_second() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    add_zone(root, "intel-rapl:0", "package-0", 10);
    let mut source = Powercap::open(root).expect("a package");
    remove_zone(root, &mut source, "intel-rapl:0");
    assert_eq!(read_at(&mut source, 5000), [None]);
    assert_eq!(read_at(&mut source, 5001), [None], "the first search");
    add_zone(root, "intel-rapl:0", "package-0", 11);
    assert_eq!(read_at(&mut source, 5500), [None]);
    assert_eq!(read_at(&mut source, 6000), [None]);
    assert_eq!(read_at(&mut source, 6001), [Some(11)]);
}

#[test]
fn zones_found_by_the_way_are_appended() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    add_zone(root, "intel-rapl:1", "package-1", 10);
    let mut source = Powercap::open(root).expect("a package");
    remove_zone(root, &mut source, "intel-rapl:1");
    read_at(&mut source, 0);
    add_zone(root, "intel-rapl:0", "package-0", 20);
    add_zone(root, "intel-rapl:1", "package-1", 11);
    assert_eq!(read_at(&mut source, 1), [Some(11), Some(20)]);
    assert_eq!(zones(&source), ["package-1", "package-0"]);
}

#[test]
fn a_zone_that_comes_back_with_another_range_stays_gone() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    add_zone(root, "intel-rapl:0", "package-0", 10);
    let mut source = Powercap::open(root).expect("a package");
    remove_zone(root, &mut source, "intel-rapl:0");
    read_at(&mut source, 0);
    add_zone(root, "intel-rapl:0", "package-0", 10);
    fs::write(root.join("class/powercap/intel-rapl:0/max_energy_range_uj"), "65532610987\n").expect("a range");
    assert_eq!(read_at(&mut source, 1), [None]);
    assert_eq!(source.problems().len(), 1);
    assert!(source.problems()[0].to_string().ends_with("(package-0): came back with a different range"));
}

#[test]
fn a_suspect_that_comes_back_is_still_a_suspect() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    add_zone(root, "intel-rapl:0", "package-0-die-0", 10);
    add_zone(root, "intel-rapl:1", "package-0-die-1", 10);
    let mut source = Powercap::open(root).expect("a die");
    remove_zone(root, &mut source, "intel-rapl:1");
    assert_eq!(read_at(&mut source, 0), [Some(10)]);
    assert!(!source.suspects[0].is_there());
    add_zone(root, "intel-rapl:1", "package-0-die-1", 10);
    assert_eq!(read_at(&mut source, 1), [Some(10)]);
    assert!(source.suspects[0].is_there());
    assert_eq!((source.suspects.len(), source.problems().len()), (1, 1));
}
