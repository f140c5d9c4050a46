//! Sensors that go and come back. A file of a temporary directory outlives its removal, unlike one of sysfs, so that
//! these tests take the open file away from inside: one opened for writing alone answers `EBADF`.

use std::fs::{self, File};

use tempfile::TempDir;

use super::*;

fn add_device(root: &TempDir, number: u32, name: &str, files: &[(&str, &str)]) {
    let class = root.path().join("class/hwmon").join(format!("hwmon{number}"));
    // What stays the same is the device, whatever number the class gives it.
    let device = root.path().join("devices").join(name);
    fs::create_dir_all(&class).expect("a device");
    fs::create_dir_all(&device).expect("what it belongs to");
    std::os::unix::fs::symlink(&device, class.join("device")).expect("a link");
    for (file, text) in [("name", name)].iter().chain(files) {
        fs::write(class.join(file), text).expect("a file");
    }
}

fn remove_device(root: &TempDir, source: &mut Hwmon, number: u32) {
    fs::remove_dir_all(root.path().join("class/hwmon").join(format!("hwmon{number}"))).expect("a device to remove");
    for sensor in &mut source.sensors {
        if let Some(Input::Power(file) | Input::Energy(file)) = &mut sensor.input {
            file.0.file = File::options().write(true).open("/dev/null").expect("a file that cannot be read");
        }
    }
}

/// Reads at so many milliseconds, and gives `None` for a zone that is gone.
fn read_at(source: &mut Hwmon, millis: u64) -> Vec<Option<u64>> {
    let moment = Moment { monotonic: Duration::from_millis(millis), ..Moment::default() };
    let mut readings = Vec::new();
    source.read(&moment, &mut readings);
    let shown = readings.into_iter().map(|reading| match reading {
        Ok(Microjoules(energy)) => Some(energy),
        Err(ReadError::ZoneGone) => None,
        Err(error) => panic!("{error:?}"),
    });
    shown.collect()
}

#[test]
fn a_sensor_that_comes_back_under_another_number_goes_on_where_it_was() {
    let root = tempfile::tempdir().expect("a directory");
    add_device(&root, 3, "ina226", &[("power1_input", "2000000\n")]);
    let mut source = Hwmon::open(root.path()).expect("a supply");
    assert_eq!(read_at(&mut source, 0), [Some(0)]);
    assert_eq!(read_at(&mut source, 1000), [Some(2_000_000)]);
    remove_device(&root, &mut source, 3);
    assert_eq!(read_at(&mut source, 2000), [None]);
    assert_eq!(read_at(&mut source, 2001), [None], "the first search");
    add_device(&root, 7, "ina226", &[("power1_input", "5000000\n")]);
    assert_eq!(read_at(&mut source, 3000), [None], "searched for at most once a second");
    assert_eq!(read_at(&mut source, 3001), [Some(2_000_000)], "nothing for the time between");
    assert_eq!(read_at(&mut source, 4001), [Some(7_000_000)]);
}

#[test]
fn a_sensor_that_was_not_there_at_first_stays_out() {
    let root = tempfile::tempdir().expect("a directory");
    add_device(&root, 0, "ina226", &[("power1_input", "2000000\n")]);
    let mut source = Hwmon::open(root.path()).expect("a supply");
    remove_device(&root, &mut source, 0);
    assert_eq!(read_at(&mut source, 0), [None]);
    add_device(&root, 0, "power_meter", &[("power1_average", "90000000\n")]);
    assert_eq!(read_at(&mut source, 1), [None]);
    assert_eq!(source.counters().len(), 1);
}

#[test]
fn no_more_sensors_are_shown_than_a_person_reads() {
    let root = tempfile::tempdir().expect("a directory");
    let cores = 128;
    let names: Vec<_> =
        (1..=cores).map(|core| (format!("energy{core}_input"), format!("energy{core}_label"))).collect();
    let labels: Vec<_> = (0..cores).map(|core| format!("Ecore{core:03}")).collect();
    let core_files = names.iter().zip(&labels);
    let mut files: Vec<_> =
        core_files.flat_map(|((input, name), label)| [(&**input, "1"), (&**name, &**label)]).collect();
    files.extend([("energy129_input", "5"), ("energy129_label", "Esocket0")]);
    add_device(&root, 0, "amd_energy", &files);
    let source = Hwmon::open(root.path()).expect("a socket");
    assert_eq!(source.counters().len(), SHOWN_MAX + 1);
    assert_eq!(source.counters()[SHOWN_MAX].zone, Zone::new(Domain::Package, "0"));
}
