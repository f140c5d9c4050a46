use std::fs;
use std::time::{Duration, SystemTime};

use nebula_metering::source::{CounterSpec, SourceKind};
use nebula_metering::{Domain, Knowledge, METHOD, Microjoules, Watts, Zone};

use super::{KnowledgeFile, Machine};
use crate::meter::{ZoneKnowledge, ZoneLimits};

fn machine(kernel: &str) -> Machine {
    Machine { processor: "made up".into(), packages: 1, cores: 2, processors: 4, kernel: kernel.into() }
}

fn counter(source: SourceKind, watts_max: f64) -> CounterSpec {
    CounterSpec {
        source,
        zone: Zone::new(Domain::Package, "0"),
        range: Some(Microjoules(262_143_328_850)),
        watts_max: Watts(watts_max),
        quantum: Microjoules(61),
        relative_error: 0.0,
        base: None,
        stated: None,
    }
}

fn known(source: SourceKind) -> ZoneKnowledge {
    let second = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    ZoneKnowledge {
        knowledge: Knowledge {
            zone: "package-0".into(),
            source: source.as_str().into(),
            method: METHOD,
            has_events: false,
            scale: 7.25,
            features: vec!["base".into(), "activation".into()],
            functions: vec![None],
            mean: vec![12.5, 3.0, -0.5],
            covariance: vec![0.25, -0.125, 0.0, -0.125, 0.5, -0.0625, 0.0, -0.0625, 0.125],
        },
        functions: vec!["shop 1f".into()],
        limits: ZoneLimits::of(&counter(source, 600.0)),
        since: second(1_000),
        calibrated: Some(second(2_000)),
    }
}

fn folder(kernel: &str) -> (tempfile::TempDir, KnowledgeFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = KnowledgeFile::new(folder.path(), machine(kernel));
    (folder, file)
}

#[test]
fn what_is_stored_is_read_back() {
    let (_folder, file) = folder("6.1");
    assert_eq!(file.load(), []);
    let all = vec![known(SourceKind::Powercap), ZoneKnowledge { calibrated: None, ..known(SourceKind::Hwmon) }];
    file.store(all.clone()).unwrap();
    assert_eq!(file.load(), all);
    let text = fs::read_to_string(file.path()).unwrap();
    for part in ["\"version\": 1", "\"kernel\": \"6.1\"", "\"learned_since\": \"1970-01-01T00:16:40.000000Z\""] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn another_machine_learns_afresh_and_does_not_touch_the_file() {
    let (folder, file) = folder("6.1");
    file.store(vec![known(SourceKind::Powercap)]).unwrap();
    assert_eq!(KnowledgeFile::new(folder.path(), machine("6.2")).load(), []);
    assert_eq!(file.load().len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside() {
    let (folder, file) = folder("6.1");
    file.store(vec![known(SourceKind::Powercap)]).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    let half = &good[..good.len() / 2];
    let huge = " ".repeat(2 << 20);
    for text in ["", "no JSON", half, &good.replace(": 1,\n", ": 2,\n"), &good.replace("zones", "zonen"), &huge] {
        fs::write(file.path(), text).unwrap();
        assert_eq!(file.load(), [], "{text}");
        assert!(!file.path().exists(), "{text}");
        let aside = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert!(aside.to_str().unwrap().contains("knowledge.json.broken-"), "{aside:?}");
        assert_eq!(fs::read_to_string(&aside).unwrap(), text);
        fs::remove_file(aside).unwrap();
    }
}

#[test]
fn only_what_still_holds_is_taken_up() {
    let (_folder, file) = folder("6.1");
    file.store(vec![known(SourceKind::Powercap), known(SourceKind::Hwmon)]).unwrap();
    let sources = |counters: &[CounterSpec]| -> Vec<String> {
        file.recall(counters).into_iter().map(|known| known.knowledge.source).collect()
    };
    assert_eq!(sources(&[counter(SourceKind::Powercap, 600.0)]), ["powercap", "hwmon"], "hwmon may be read later");
    assert_eq!(sources(&[counter(SourceKind::Powercap, 900.0)]), ["hwmon"], "the limit has changed");
    let mut other = known(SourceKind::Powercap);
    other.knowledge.method += 1;
    file.store(vec![other]).unwrap();
    assert_eq!(sources(&[counter(SourceKind::Powercap, 600.0)]), [""; 0]);
}

#[test]
fn a_machine_is_known_by_processor_topology_and_kernel() {
    let root = tempfile::tempdir().unwrap();
    let (sysfs, procfs) = (root.path().join("sys"), root.path().join("proc"));
    let read = || Machine::read(&sysfs, &procfs);
    assert!(read().to_string().starts_with("an unknown processor, 1 packages"), "{}", read());
    fs::create_dir_all(procfs.join("sys/kernel")).unwrap();
    fs::write(procfs.join("sys/kernel/osrelease"), "6.1.0-13\n").unwrap();
    let cpuinfo =
        "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 4\nmodel name : Xeon\n";
    fs::write(procfs.join("cpuinfo"), cpuinfo).unwrap();
    for cpu in 0..4 {
        let topology = sysfs.join(format!("devices/system/cpu/cpu{cpu}/topology"));
        fs::create_dir_all(&topology).unwrap();
        fs::write(topology.join("physical_package_id"), "0\n").unwrap();
        fs::write(topology.join("core_id"), format!("{}\n", cpu / 2)).unwrap();
    }
    let expected = Machine {
        processor: "Xeon, GenuineIntel 6-85-4".into(),
        packages: 1,
        cores: 2,
        processors: 4,
        kernel: "6.1.0-13".into(),
    };
    assert_eq!(read(), expected);
}
