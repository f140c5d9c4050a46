//! The model on recorded machines, and the sums of its energy.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn model(machine: &str) -> Model {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc").join(machine);
    Model::open(&root, Path::new("/nowhere")).expect("the fixture is complete")
}

fn at(monotonic_ns: u64, busy_ns: u64) -> Moment {
    Moment { monotonic: Duration::from_nanos(monotonic_ns), busy: Duration::from_nanos(busy_ns), ..Moment::default() }
}

fn read(model: &mut Model, moment: &Moment) -> Vec<u64> {
    let mut readings = vec![Err(ReadError::ZoneGone)];
    model.read(moment, &mut readings);
    readings.into_iter().map(|reading| reading.expect("a model always has a figure").0).collect()
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn recorded_machines_are_recognised() {
    let recognised = |machine: &str| model(machine).microarchitecture();
    let known = [
        ("skylake-sp", "Skylake (server)"),
        ("cascade-lake", "Cascade Lake"),
        ("coffee-lake", "Coffee Lake"),
        ("ice-lake-sp-guest", "Ice Lake"),
        ("sapphire-rapids", "Sapphire Rapids"),
        ("epyc-naples", "EPYC 1st Gen"),
        ("epyc-rome", "EPYC 2nd Gen"),
        ("epyc-milan", "EPYC 3rd Gen"),
        ("epyc-genoa", "EPYC 4th Gen"),
        ("neoverse-n1", "Neoverse N1"),
    ];
    for (machine, microarchitecture) in known {
        assert_eq!(recognised(machine), Some(microarchitecture), "{machine}");
    }
    for machine in ["cooper-lake", "epyc-turin-guest", "masked-guest", "nothing-known"] {
        assert_eq!(recognised(machine), None, "{machine}");
    }
}

#[test]
fn the_first_reading_is_zero_whenever_it_comes() {
    let mut model = model("ice-lake-sp-guest");
    assert_eq!(read(&mut model, &at(86_400 * SECOND, 9999 * SECOND)), [0, 0]);
    assert_eq!(model.counters().len(), 2);
}

#[test]
fn an_idle_machine_draws_idle_watts_and_a_busy_one_full_watts() {
    let mut idle = model("ice-lake-sp-guest");
    read(&mut idle, &at(5, 5));
    // 2 · 0.767 W; 22 GiB beyond the 2 GiB that two threads hold, at 0.392 W each.
    assert_eq!(read(&mut idle, &at(5 + SECOND, 5)), [1_534_000, 8_624_000]);
    let mut busy = model("ice-lake-sp-guest");
    read(&mut busy, &at(5, 5));
    assert_eq!(read(&mut busy, &at(5 + SECOND, 5 + 2 * SECOND)), [7_516_000, 8_624_000]);
}

#[test]
fn time_asleep_draws_nothing() {
    let mut model = model("epyc-rome");
    read(&mut model, &at(0, 0));
    let asleep = Moment { boottime: Duration::from_hours(1), ..at(0, 0) };
    assert_eq!(read(&mut model, &asleep), [0]);
}

#[test]
fn memory_that_the_servers_had_too_is_no_zone_of_its_own() {
    let model = model("epyc-rome");
    assert_eq!(model.counters().len(), 1);
    assert_eq!(model.memory_watts(), None);
}

#[test]
fn counters_say_what_they_are() {
    let model = model("ice-lake-sp-guest");
    let zones: Vec<_> = model.counters().iter().map(|spec| spec.zone.to_string()).collect();
    assert_eq!(zones, ["package-0", "dram-0"]);
    for spec in model.counters() {
        assert_eq!((spec.range, spec.quantum), (None, Microjoules(1)));
        assert!(spec.zone.is_additive());
    }
    assert!(model.counters()[0].watts_max > model.full_watts());
    assert_eq!(model.kind(), SourceKind::Model);
}

#[test]
fn it_describes_itself_in_one_sentence() {
    let sentences = [
        ("skylake-sp", "CPU 2.2–16.0 W ±50 %; 3.9 GiB RAM included (estimated for 4 threads of Skylake (server))"),
        (
            "ice-lake-sp-guest",
            "CPU 1.5–7.5 W ±50 %; 22.0 of 24.0 GiB RAM: 8.6 W ±90 % (estimated for 2 virtual CPUs of Ice Lake)",
        ),
        (
            "epyc-turin-guest",
            "CPU 1.5–7.0 W ±80 %; 1.9 GiB RAM included (estimated for 2 virtual CPUs of an average server, because \
             `AMD EPYC 9655 96-Core Processor` is not listed)",
        ),
        (
            "nothing-known",
            "CPU 3.0–14.0 W ±80 %; RAM unknown (estimated for 4 threads of an average server, because the processor is \
             unknown)",
        ),
    ];
    for (machine, sentence) in sentences {
        assert_eq!(model(machine).describe(), sentence);
    }
}

/// A machine with two hardware threads at these frequencies, out of 4 GHz.
fn clocked(khz: [u32; 2]) -> (tempfile::TempDir, Model) {
    let root = tempfile::tempdir().expect("a directory can be made");
    for (cpu, khz) in khz.iter().enumerate() {
        set_clock(root.path(), cpu, "cpuinfo_max_freq", 4_000_000);
        set_clock(root.path(), cpu, "scaling_cur_freq", *khz);
    }
    let procfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc/ice-lake-sp-guest");
    let model = Model::open(&procfs, root.path()).expect("the fixture is complete");
    (root, model)
}

fn set_clock(root: &Path, cpu: usize, file: &str, khz: u32) {
    let directory = root.join(format!("devices/system/cpu/cpu{cpu}/cpufreq"));
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    std::fs::write(directory.join(file), format!("{khz}\n")).expect("the file can be written");
}

#[test]
fn work_at_half_the_clock_raises_power_by_half() {
    let (root, mut model) = clocked([2_000_000; 2]);
    read(&mut model, &at(5, 5));
    // Idle 1.534 W as ever; of the rise of 5.982 W half.
    assert_eq!(read(&mut model, &at(5 + SECOND, 5 + 2 * SECOND))[0], 1_534_000 + 2_991_000);
    // From then on at the full clock: what was is not weighed anew.
    (0..2).for_each(|cpu| set_clock(root.path(), cpu, "scaling_cur_freq", 4_000_000));
    assert_eq!(read(&mut model, &at(5 + 2 * SECOND, 5 + 4 * SECOND))[0], 2 * 1_534_000 + 2_991_000 + 5_982_000);
}

#[test]
fn an_idle_machine_draws_the_same_at_any_clock() {
    let (_root, mut model) = clocked([800_000; 2]);
    read(&mut model, &at(5, 5));
    assert_eq!(read(&mut model, &at(5 + SECOND, 5))[0], 1_534_000);
}

#[test]
fn a_clock_widens_the_error_in_the_open() {
    let (_root, clocked) = clocked([2_000_000; 2]);
    assert!(clocked.follows_clock());
    assert_eq!(clocked.counters()[0].relative_error, 0.7);
    assert!(clocked.describe().contains("CPU 1.5–7.5 W following the clock ±70 %"), "{}", clocked.describe());
    assert!(clocked.counters()[0].watts_max > clocked.full_watts());
    let without = model("ice-lake-sp-guest");
    assert!(!without.follows_clock());
    assert_eq!(without.counters()[0].relative_error, 0.5);
}

#[test]
fn what_the_hypervisor_took_is_no_work() {
    use crate::work::host::HostClock;
    use crate::work::topology::Topology;
    let root = tempfile::tempdir().expect("a directory can be made");
    let stat = root.path().join("stat");
    let write = |text: &str| std::fs::write(&stat, text).expect("the file can be written");
    write("cpu  500 0 500 9000 0 0 0 100 0 0\ncpu0 0\ncpu1 0\n");
    let mut clock = HostClock::open(root.path(), root.path(), Topology::one_package(1)).expect("the file is there");
    let mut model = Model::open(root.path(), root.path()).expect("two processors are listed");
    let first = clock.now().expect("it can be read");
    read(&mut model, &first);
    // A hundred seconds of steal, in which this machine stood still.
    write("cpu  500 0 500 9000 0 0 0 10100 0 0\ncpu0 0\ncpu1 0\n");
    let then = clock.now().expect("it can be read");
    let stolen = Moment { monotonic: first.monotonic + Duration::from_secs(100), ..then };
    let own = then.busy - first.busy;
    // Two times 0.74 W idle, and of the rise of 2.76 W only what this process itself has worked.
    let most = 148_000_000 + 2760 * own.as_nanos() / 1_000_000;
    let energy = u128::from(read(&mut model, &stolen)[0]);
    assert!(own < Duration::from_secs(10) && (148_000_000..=most).contains(&energy), "{energy} µJ with {own:?}");
}

#[test]
fn without_any_count_of_processors_there_is_no_model() {
    let error = Model::open(Path::new("/nowhere"), Path::new("/nowhere")).expect_err("there is no such tree");
    assert_eq!(error.to_string(), "cannot find out how many processors there are from `/nowhere/stat`");
    let root = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(root.path().join("stat"), "intr 0\n").expect("the file can be written");
    assert!(Model::open(root.path(), root.path()).is_err());
}

#[test]
fn bytes_that_are_no_text_are_tolerated() {
    let root = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(root.path().join("cpuinfo"), b"processor : 0\nmodel name : \xff\xfe\n").expect("it can be written");
    assert_eq!(Model::open(root.path(), root.path()).expect("one processor is listed").threads(), 1);
}

proptest! {
    #[test]
    fn how_a_span_is_cut_changes_nothing(
        steps in prop::collection::vec((0_u64..3 * SECOND, 0_u64..6 * SECOND), 1..300),
    ) {
        let (mut cut, mut whole) = (model("ice-lake-sp-guest"), model("ice-lake-sp-guest"));
        let (mut monotonic, mut busy) = (7 * SECOND, 3 * SECOND);
        read(&mut cut, &at(monotonic, busy));
        read(&mut whole, &at(monotonic, busy));
        let mut last = vec![0, 0];
        for (time, work) in steps {
            monotonic += time;
            busy += work;
            last = read(&mut cut, &at(monotonic, busy));
        }
        prop_assert_eq!(last, read(&mut whole, &at(monotonic, busy)));
    }

    #[test]
    fn readings_only_grow(moments: Vec<(u64, u64)>) {
        let mut model = model("ice-lake-sp-guest");
        let mut last = vec![0, 0];
        for (monotonic, busy) in moments {
            let now = read(&mut model, &at(monotonic, busy));
            prop_assert!(now.iter().zip(&last).all(|(now, last)| now >= last));
            last = now;
        }
    }
}
