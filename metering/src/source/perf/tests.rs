//! The `power` PMU of simulated machines and kernels, and a software event of the real kernel.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::event::{Count, Event};
use super::*;

const KERNELS_SCALE: &str = "2.3283064365386962890625e-10\n";

/// A tree with the PMU, with one package for each processor.
fn machine(cpumask: &str, packages: &[(u32, &str)], events: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let pmu = "bus/event_source/devices/power";
    write(&root, &format!("{pmu}/type"), "23\n");
    write(&root, &format!("{pmu}/cpumask"), cpumask);
    write(&root, &format!("{pmu}/format/event"), "config:0-7\n");
    for (name, event) in events {
        write(&root, &format!("{pmu}/events/{name}"), event);
        write(&root, &format!("{pmu}/events/{name}.scale"), KERNELS_SCALE);
        write(&root, &format!("{pmu}/events/{name}.unit"), "Joules\n");
    }
    for (cpu, package) in packages {
        write(&root, &format!("devices/system/cpu/cpu{cpu}/topology/physical_package_id"), package);
    }
    root
}

fn write(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, text).expect("a file");
}

/// A kernel with these events, by configuration and processor. Others cannot be opened.
#[derive(Clone, Default)]
struct MadeUp(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    counts: BTreeMap<(u64, u32), Count>,
    /// Error of opening.
    refusal: Option<i32>,
    /// Error of reading.
    failing: Option<i32>,
    opened: Vec<(Event, u32)>,
}

struct MadeUpEvent {
    state: Arc<Mutex<State>>,
    key: (u64, u32),
    opened_at: u64,
}

impl OpenEvent for MadeUpEvent {
    fn read(&mut self) -> io::Result<Count> {
        let state = self.state.lock().expect("a lock");
        if let Some(errno) = state.failing {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let Some(Count { count, enabled }) = state.counts.get(&self.key).copied() else {
            return Err(io::Error::from_raw_os_error(NO_DEVICE));
        };
        Ok(Count { count: count - self.opened_at, enabled })
    }
}

impl Opener for MadeUp {
    fn open(&mut self, event: Event, cpu: u32) -> io::Result<Box<dyn OpenEvent>> {
        let mut state = self.0.lock().expect("a lock");
        state.opened.push((event, cpu));
        if let Some(errno) = state.refusal {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let key = (event.config, cpu);
        let opened_at = state.counts.get(&key).ok_or_else(|| io::Error::from_raw_os_error(NO_DEVICE))?.count;
        Ok(Box::new(MadeUpEvent { state: Arc::clone(&self.0), key, opened_at }))
    }
}

impl MadeUp {
    /// Joules since start, and the enabled time in milliseconds.
    fn set(&self, config: u64, cpu: u32, joules: u64, millis: u64) {
        let count = Count { count: joules << 32, enabled: Duration::from_millis(millis) };
        self.0.lock().expect("a lock").counts.insert((config, cpu), count);
    }

    fn remove(&self, config: u64, cpu: u32) {
        self.0.lock().expect("a lock").counts.remove(&(config, cpu));
    }
}

fn open(root: &TempDir, kernel: &MadeUp) -> Result<Perf, OpenPerfError> {
    Perf::open_with(Box::new(kernel.clone()), root.path(), root.path())
}

/// Reads at this time in milliseconds. `None` for a zone that is gone.
fn read_at(source: &mut Perf, millis: u64) -> Vec<Option<u64>> {
    let moment = Moment { monotonic: Duration::from_millis(millis), ..Moment::default() };
    let mut readings = vec![Err(ReadError::Standby)];
    source.read(&moment, &mut readings);
    let shown = readings.into_iter().map(|reading| match reading {
        Ok(Microjoules(energy)) => Some(energy),
        Err(ReadError::ZoneGone) => None,
        Err(error) => panic!("{error:?}"),
    });
    shown.collect()
}

fn zones(source: &Perf) -> Vec<String> {
    source.counters().iter().map(|spec| spec.zone.to_string()).collect()
}

/// Two packages with memory. The first is that of processor 18.
fn server() -> (TempDir, MadeUp) {
    let events = [("energy-pkg", "event=0x02\n"), ("energy-ram", "event=0x03\n")];
    let root = machine("0,18\n", &[(0, "1\n"), (18, "0\n")], &events);
    let kernel = MadeUp::default();
    for (config, cpu) in [(2, 0), (2, 18), (3, 0), (3, 18)] {
        kernel.set(config, cpu, 100, 0);
    }
    (root, kernel)
}

#[test]
fn each_event_is_opened_once_a_package_and_named_after_it() {
    let (root, kernel) = server();
    let source = open(&root, &kernel).expect("two packages");
    assert_eq!(zones(&source), ["package-1", "package-0", "dram-1", "dram-0"]);
    let opened: Vec<_> = kernel.0.lock().expect("a lock").opened.clone();
    let event = |config| Event { pmu: 23, config };
    assert_eq!(opened, [(event(2), 0), (event(2), 18), (event(3), 0), (event(3), 18)]);
    for spec in source.counters() {
        assert_eq!((spec.source, spec.range, spec.base), (SourceKind::Perf, None, None));
        assert!(spec.zone.is_additive());
    }
    assert_eq!(source.describe(), "perf: package-1, package-0, dram-1, dram-0 (added)");
}

#[test]
fn counts_become_microjoules_since_the_event_was_opened() {
    let (root, kernel) = server();
    let mut source = open(&root, &kernel).expect("two packages");
    assert_eq!(read_at(&mut source, 0), [Some(0); 4]);
    kernel.set(2, 0, 107, 100);
    kernel.set(3, 18, 101, 100);
    assert_eq!(read_at(&mut source, 1), [Some(7_000_000), Some(0), Some(0), Some(1_000_000)]);
}

#[test]
fn what_lies_inside_or_around_a_package_is_shown_and_not_added() {
    let events = [("energy-cores", "event=0x01"), ("energy-pkg", "event=0x02"), ("energy-psys", "event=0x05")];
    let root = machine("0\n", &[(0, "0\n")], &[events.as_slice(), &[("energy-gpu", "event=0x04")]].concat());
    let kernel = MadeUp::default();
    (1..=5).for_each(|config| kernel.set(config, 0, 1, 0));
    let source = open(&root, &kernel).expect("a package");
    assert_eq!(source.describe(), "perf: package-0 (added); core-0, uncore-0, psys-0 (shown only)");
}

#[test]
fn a_package_without_a_number_has_its_place_in_the_list() {
    let root = machine("0-1", &[(0, "-1\n"), (1, "-1\n")], &[("energy-pkg", "event=0x02")]);
    let kernel = MadeUp::default();
    kernel.set(2, 0, 1, 0);
    kernel.set(2, 1, 1, 0);
    assert_eq!(zones(&open(&root, &kernel).expect("packages")), ["package-0", "package-1"]);
}

#[test]
fn a_further_die_of_a_package_is_shown_and_not_added() {
    let root = machine("0,8", &[(0, "0"), (8, "0")], &[("energy-pkg", "event=0x02")]);
    write(&root, "devices/system/cpu/cpu8/topology/die_id", "1\n");
    let kernel = MadeUp::default();
    kernel.set(2, 0, 1, 0);
    kernel.set(2, 8, 1, 0);
    let source = open(&root, &kernel).expect("a package");
    assert_eq!(source.describe(), "perf: package-0 (added); die-0-die-1 (shown only)");
}

#[test]
fn an_event_that_is_not_understood_does_not_hide_the_others() {
    let (root, kernel) = server();
    write(&root, "bus/event_source/devices/power/events/energy-ram.unit", "Watts\n");
    let source = open(&root, &kernel).expect("two packages");
    assert_eq!(zones(&source), ["package-1", "package-0"]);
    let problems: Vec<_> = source.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["`energy-ram`: `events/energy-ram.unit` reads `Watts`, which is not understood"]);
}

#[test]
fn a_package_that_goes_keeps_its_place_and_begins_again_at_zero() {
    let (root, kernel) = server();
    let mut source = open(&root, &kernel).expect("two packages");
    kernel.set(2, 18, 105, 100);
    assert_eq!(read_at(&mut source, 0)[1], Some(5_000_000));
    // Its processor goes offline. Another one of the package takes its place in the mask, but cannot be opened at
    // first.
    kernel.remove(2, 18);
    write(&root, "bus/event_source/devices/power/cpumask", "0,19\n");
    write(&root, "devices/system/cpu/cpu19/topology/physical_package_id", "0\n");
    assert_eq!(read_at(&mut source, 1)[1], None);
    assert_eq!(read_at(&mut source, 2)[1], None, "searched for");
    kernel.set(2, 19, 300, 100);
    assert_eq!(read_at(&mut source, 1001)[1], None, "not searched for within a second");
    assert_eq!(read_at(&mut source, 1002)[1], Some(0));
    kernel.set(2, 19, 302, 200);
    assert_eq!(read_at(&mut source, 1003)[1], Some(2_000_000), "below what it was: a reset, and no secret");
    assert_eq!(zones(&source), ["package-1", "package-0", "dram-1", "dram-0"]);
}

#[test]
fn an_event_that_begins_again_is_a_reset_to_whoever_counts() {
    let (root, kernel) = server();
    let mut source = open(&root, &kernel).expect("two packages");
    let mut counter = crate::Counter::new(source.counters()[0].clone());
    let mut observe = |millis| {
        let time = Duration::from_millis(millis);
        let moment = Moment { monotonic: time, boottime: time, ..Moment::default() };
        let mut readings = Vec::new();
        source.read(&moment, &mut readings);
        counter.observe(&readings[0], &moment)
    };
    kernel.set(2, 0, 109, 1000);
    observe(1000);
    kernel.remove(2, 0);
    let lost = observe(1100);
    assert!(matches!(lost, crate::Observation::Gap { reason: crate::GapReason::Lost, .. }), "{lost:?}");
    kernel.set(2, 0, 400, 2000);
    let reset = observe(2000);
    let crate::Observation::Gap { reason: crate::GapReason::Reset, found: Microjoules(0), .. } = reset else {
        panic!("{reset:?}");
    };
    kernel.set(2, 0, 402, 2100);
    assert_eq!(observe(2100), crate::Observation::Window(Microjoules(2_000_000)));
}

#[test]
fn an_event_whose_time_stands_still_has_gone() {
    let (root, kernel) = server();
    let mut source = open(&root, &kernel).expect("two packages");
    kernel.set(2, 0, 101, 10);
    assert_eq!(read_at(&mut source, 10)[0], Some(1_000_000));
    assert_eq!(read_at(&mut source, 14)[0], Some(1_000_000), "too soon to tell");
    assert_eq!(read_at(&mut source, 15)[0], None);
}

#[test]
fn a_failed_reading_is_reported_once_and_then_the_zone_is_gone() {
    let (root, kernel) = server();
    let mut source = open(&root, &kernel).expect("two packages");
    read_at(&mut source, 0);
    kernel.0.lock().expect("a lock").failing = Some(rustix::io::Errno::IO.raw_os_error());
    let mut readings = Vec::new();
    source.read(&Moment::default(), &mut readings);
    assert!(matches!(&readings[0], Err(ReadError::ReadEvent { event, .. }) if &**event == "energy-pkg"));
    assert_eq!(read_at(&mut source, 1), [None; 4]);
    kernel.0.lock().expect("a lock").failing = None;
    assert_eq!(read_at(&mut source, 1001), [Some(0); 4]);
}

#[test]
fn each_reason_for_having_nothing_has_its_own_error() {
    let kernel = MadeUp::default();
    let empty = tempfile::tempdir().expect("a directory");
    assert!(matches!(open(&empty, &kernel), Err(OpenPerfError::NoPmu { .. })));
    assert!(matches!(open(&machine("0", &[], &[]), &kernel), Err(OpenPerfError::NoEvent { .. })));
    let unmasked = machine("", &[], &[("energy-pkg", "event=0x02")]);
    assert!(matches!(open(&unmasked, &kernel), Err(OpenPerfError::DescribePmu { .. })));
    let oversized = machine("0", &[], &[("energy-pkg", "event=0x102")]);
    assert!(matches!(
        open(&oversized, &kernel),
        Err(OpenPerfError::UseEvents { source: EventObstacle::Parse { .. }, .. })
    ));
    let absent = machine("0", &[], &[("energy-pkg", "event=0x02")]);
    assert!(matches!(open(&absent, &kernel), Err(OpenPerfError::UseEvents { source: EventObstacle::Open { .. }, .. })));
    let cores = machine("0", &[], &[("energy-cores", "event=0x01")]);
    kernel.set(1, 0, 1, 0);
    assert!(matches!(open(&cores, &kernel), Err(OpenPerfError::NoAdditiveEvent { .. })));
}

#[test]
fn who_is_refused_is_told_what_the_kernel_demands() {
    let (root, kernel) = server();
    let refuse = |errno: rustix::io::Errno| {
        kernel.0.lock().expect("a lock").refusal = Some(errno.raw_os_error());
        open(&root, &kernel).err().expect("nothing may be opened").to_string()
    };
    assert_eq!(
        refuse(rustix::io::Errno::ACCESS),
        "no permission to open the energy event `energy-pkg` (`kernel.perf_event_paranoid` cannot be read)"
    );
    write(&root, "sys/kernel/perf_event_paranoid", "2\n");
    assert!(refuse(rustix::io::Errno::PERM).ends_with("(`kernel.perf_event_paranoid` is 2 and forbids it)"));
    write(&root, "sys/kernel/perf_event_paranoid", "-1\n");
    assert!(refuse(rustix::io::Errno::PERM).ends_with("(`kernel.perf_event_paranoid` is -1 and would allow it)"));
}

#[test]
fn the_longest_window_is_shorter_than_the_smallest_register_lasts() {
    // 2^32 · 2^-16 J at 400 W are 163.84 s, or 2.7 minutes.
    assert_eq!(longest_interval(Watts(400.0)), Duration::from_millis(163_840));
    // The timer of the kernel: the time in which 200 W fill half of the register, and 400 W fill all of it.
    let kernels_timer = Duration::from_secs_f64(REGISTER_JOULES_MIN / 2.0 / 200.0);
    assert_eq!(longest_interval(Watts(400.0)), kernels_timer);
    assert_eq!(longest_interval(Watts(0.0)), Duration::MAX);
    let (root, kernel) = server();
    let source = open(&root, &kernel).expect("two packages");
    assert_eq!(source.longest_interval(), Duration::from_millis(65_536));
    assert!(source.longest_interval() > Duration::from_secs(60), "windows of 60 s may be configured");
}

#[test]
fn a_real_event_of_the_kernel_is_read_in_the_same_way() {
    // `PERF_TYPE_SOFTWARE` with `PERF_COUNT_SW_CPU_CLOCK`: nanoseconds, declared as nanojoules here. One processor,
    // every process, as for energy.
    let root = machine("0", &[(0, "0")], &[("energy-pkg", "event=0x00")]);
    write(&root, "bus/event_source/devices/power/type", "1\n");
    write(&root, "bus/event_source/devices/power/events/energy-pkg.scale", "1e-9");
    let mut source = match Perf::open(root.path(), Path::new("/proc")) {
        Ok(source) => source,
        Err(error) => {
            let _ = writeln!(io::stderr(), "SKIPPED: no event of the whole machine may be opened here: {error}");
            return;
        }
    };
    let begin = std::time::Instant::now();
    let mut read = || {
        let mut readings = Vec::new();
        let moment = Moment { monotonic: begin.elapsed(), ..Moment::default() };
        source.read(&moment, &mut readings);
        readings.remove(0).expect("the event counts").0
    };
    let first = read();
    while begin.elapsed() < Duration::from_millis(20) {
        std::hint::spin_loop();
    }
    let (counted, passed) = (read() - first, begin.elapsed());
    assert!(counted > 10_000 && counted <= passed.as_micros() as u64 + 1000, "{counted} µJ in {passed:?}");
}
