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
        (
            "skylake-sp",
            "CPU 1.6–11.3 W ±60 %; 3.9 GiB RAM: 1.5 W ±90 %; ranks by CPU time (estimated for 4 threads of Skylake (server))",
        ),
        (
            "ice-lake-sp-guest",
            "CPU 1.5–7.5 W ±95 %; 22.0 of 24.0 GiB RAM: 8.6 W ±90 %; ranks by CPU time (estimated for 2 virtual CPUs of \
             Ice Lake)",
        ),
        (
            "epyc-turin-guest",
            "CPU 1.5–7.0 W ±95 %; 1.9 GiB RAM included; ranks by CPU time (estimated for 2 virtual CPUs of an average \
             server, because `AMD EPYC 9655 96-Core Processor` is not listed)",
        ),
        (
            "nothing-known",
            "CPU 3.0–14.0 W ±90 %; RAM unknown; ranks by CPU time (estimated for 4 threads of an average server, because \
             the processor is unknown)",
        ),
    ];
    for (machine, sentence) in sentences {
        assert_eq!(model(machine).describe(), sentence);
    }
}

/// Two virtual CPUs of a kernel that shows the clock.
fn clocked() -> Model {
    let root = tempfile::tempdir().expect("a directory can be made");
    let directory = root.path().join("devices/system/cpu/cpu0/cpufreq");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    for file in ["cpuinfo_max_freq", "scaling_cur_freq"] {
        std::fs::write(directory.join(file), "4000000\n").expect("the file can be written");
    }
    let procfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc/ice-lake-sp-guest");
    Model::open(&procfs, root.path()).expect("the fixture is complete")
}

#[test]
fn work_at_half_the_clock_raises_power_by_half() {
    let mut model = clocked();
    read(&mut model, &at(5, 5));
    // Idle 1.534 W as ever; of the rise of 5.982 W half.
    let slow = Moment { frequency_ppm: Some(500_000), ..at(5 + SECOND, 5 + 2 * SECOND) };
    assert_eq!(read(&mut model, &slow)[0], 1_534_000 + 2_991_000);
    // From then on at the full clock: what was is not weighed anew.
    let fast = Moment { frequency_ppm: Some(1_000_000), ..at(5 + 2 * SECOND, 5 + 4 * SECOND) };
    assert_eq!(read(&mut model, &fast)[0], 2 * 1_534_000 + 2_991_000 + 5_982_000);
}

#[test]
fn an_idle_machine_draws_the_same_at_any_clock() {
    let mut model = clocked();
    read(&mut model, &at(5, 5));
    let idle = Moment { frequency_ppm: Some(200_000), ..at(5 + SECOND, 5) };
    assert_eq!(read(&mut model, &idle)[0], 1_534_000);
}

#[test]
fn the_error_says_what_is_not_known() {
    let error = |model: &Model| model.counters()[0].relative_error;
    assert_eq!(error(&model("cascade-lake")), 0.6);
    assert_eq!(error(&model("epyc-rome")), 0.8);
    assert_eq!(error(&model("cooper-lake")), 0.9);
    assert_eq!(error(&model("ice-lake-sp-guest")), 0.95, "the host may be idle or full");
    let clocked = clocked();
    assert!(clocked.follows_clock());
    assert_eq!(error(&clocked), 0.95);
    assert!(clocked.describe().contains("CPU 1.5–7.5 W following the clock ±95 %"), "{}", clocked.describe());
    assert!(!model("ice-lake-sp-guest").follows_clock());
}

#[test]
fn a_whole_machine_rises_fast_at_first_and_a_guest_evenly() {
    // Four threads of Cascade Lake at 2.7 GHz: 3.216 W when idle, 15.740 W more at full load.
    let mut whole = model("cascade-lake");
    read(&mut whole, &at(0, 0));
    let quarter = read(&mut whole, &at(SECOND, SECOND))[0] - 3_216_000;
    assert_eq!(quarter, 15_740_000 * 3865 / 10_000);
    let mut guest = model("ice-lake-sp-guest");
    read(&mut guest, &at(0, 0));
    assert_eq!(read(&mut guest, &at(SECOND, SECOND / 2))[0], 1_534_000 + 5_982_000 / 4);
}

#[test]
fn work_is_charged_what_a_thread_draws_at_full_load() {
    let model = model("cascade-lake");
    let stated = model.counters()[0].stated.expect("the model states it");
    let cost = stated.cost(&crate::work::Work::of_cpu(Duration::from_secs(1)));
    assert!((cost.0 * 4.0 - (model.full_watts().0 - model.idle_watts().0)).abs() < 1e-9);
    assert!(model.describe().contains("; ranks by CPU time ("));
    let counting = model.counting_events(true);
    assert!(counting.describe().contains("; ranks by CPU time, instructions and cache misses ("));
}

#[test]
fn a_machine_of_several_packages_is_one_zone_that_covers_them() {
    let root = tempfile::tempdir().expect("a directory can be made");
    let cpuinfo = "processor : 0\nphysical id : 0\nprocessor : 1\nphysical id : 1\n";
    std::fs::write(root.path().join("cpuinfo"), cpuinfo).expect("the file can be written");
    let model = Model::open(root.path(), Path::new("/nowhere")).expect("two processors are listed");
    assert_eq!(model.counters()[0].zone, Zone::new(Domain::Package, ""));
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

/// Others work in ticks of 10 ms, so windows of 100 ms see more or less than there was.
#[test]
fn ticks_in_short_windows_lose_little() {
    for load in [3_u64, 24, 26, 51, 77, 98] {
        let (mut short, mut long) = (model("cascade-lake"), model("cascade-lake"));
        let busy = |ms: u64| ms * 4 * load / 100;
        let ticked = |ms: u64| at(ms * 1_000_000, busy(ms) / 10 * 10 * 1_000_000);
        let windows = (0..=600).map(|window| read(&mut short, &ticked(window * 100))[0]).last();
        read(&mut long, &ticked(0));
        let (windows, whole) = (windows.expect("there are windows"), read(&mut long, &ticked(60_000))[0]);
        assert!(windows <= whole && whole - windows < whole / 50, "{load} %: {windows} of {whole}");
    }
}

proptest! {
    #[test]
    fn how_a_span_is_cut_changes_nothing_on_a_straight_line(
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
    fn a_thousand_windows_of_equal_load_are_one(windows in 1_u64..1000, window_ms in 1_u64..500, load in 0_u64..=100) {
        let (mut cut, mut whole) = (model("cascade-lake"), model("cascade-lake"));
        let then = |windows: u64| {
            let ms = windows * window_ms;
            at(ms * 1_000_000, ms * 4 * load * 10_000)
        };
        read(&mut whole, &then(0));
        let last = (0..=windows).map(|window| read(&mut cut, &then(window))).last();
        prop_assert_eq!(last, Some(read(&mut whole, &then(windows))));
    }

    #[test]
    fn readings_only_grow(moments: Vec<(u64, u64)>) {
        let mut model = model("cascade-lake");
        let mut last = vec![0];
        for (monotonic, busy) in moments {
            let now = read(&mut model, &at(monotonic, busy));
            prop_assert!(now.iter().zip(&last).all(|(now, last)| now >= last));
            last = now;
        }
    }
}
