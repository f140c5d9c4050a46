//! The host clock against recorded and live `stat` files.

use std::error::Error;

use super::*;

fn fixture(machine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc").join(machine)
}

/// A clock without a root cgroup, on a machine of one package.
fn ticking(procfs_root: &Path) -> Result<HostClock, OpenHostClockError> {
    HostClock::open(procfs_root, Path::new("/nowhere"), Topology::one_package(2))
}

/// A made-up machine: a `stat` file, and cgroups beside it.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().expect("a directory can be made"));
        for (name, text) in files {
            machine.write(name, text);
        }
        machine
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("a directory can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    fn clock(&self, topology: Topology) -> HostClock {
        HostClock::open(self.0.path(), self.0.path(), topology).expect("there is a stat file")
    }
}

const CPUACCT: &str = "fs/cgroup/cpuacct/cpuacct.usage";
const CPU_STAT: &str = "fs/cgroup/cpu.stat";

fn others(moment: &Moment) -> Duration {
    moment.busy - moment.process
}

/// What a made-up clock says beyond the process may be short of what the process used in the meantime.
fn is_about(time: Duration, truth: Duration) -> bool {
    time <= truth && time + Duration::from_millis(500) > truth
}

#[test]
fn the_root_cgroup_s_usage_is_taken_where_there_is_one() {
    let files = [
        (CPUACCT, "1000000000000\n", "1005000000000\n", "in nanoseconds"),
        (
            CPU_STAT,
            "usage_usec 1000000000\nuser_usec 999999995\nsystem_usec 5\n",
            "usage_usec 1005000000\nuser_usec 1004999995\nsystem_usec 5\n",
            "kernel's own ticks",
        ),
    ];
    for (file, before, after, unit) in files {
        let machine = Machine::new(&[("stat", "cpu  100000 0 0 0 0 0 0\n"), (file, before)]);
        let mut clock = machine.clock(Topology::one_package(2));
        assert!(clock.describe().contains(file) && clock.describe().ends_with(unit), "{}", clock.describe());
        machine.write(file, after);
        let moment = clock.now().expect("it can be read");
        assert!(is_about(others(&moment), Duration::from_secs(5)), "{moment:?}");
    }
}

#[test]
fn a_container_s_cgroup_is_not_the_machine() {
    let stat = ("stat", "cpu  100000 0 0 0 0 0 0\n");
    let version_1 = Machine::new(&[stat, (CPUACCT, "3000000000\n")]);
    assert!(version_1.clock(Topology::one_package(2)).describe().contains("covers only a part of the machine"));
    let version_2 = [
        stat,
        (CPU_STAT, "usage_usec 1000000000\nuser_usec 999999995\nsystem_usec 5\n"),
        ("fs/cgroup/cgroup.type", "domain\n"),
    ];
    let clock = Machine::new(&version_2).clock(Topology::one_package(2));
    assert!(clock.describe().contains("belongs to a control group other than the root"), "{}", clock.describe());
    assert!(clock.describe().contains("stat` in hundredths of a second"), "{}", clock.describe());
}

#[test]
fn a_usage_that_the_ticks_contradict_is_given_up_and_nothing_is_taken_back() {
    let machine = Machine::new(&[("stat", "cpu  100000 0 0 0 0 0 0\n"), (CPUACCT, "1000000000000\n")]);
    let mut clock = machine.clock(Topology::one_package(2));
    clock.now().expect("it can be read");
    assert!(clock.follows_cgroup());
    machine.write(CPUACCT, "1005000000000\n");
    let five = clock.now().expect("it can be read");
    assert!(is_about(others(&five), Duration::from_secs(5)), "{five:?}");
    machine.write("stat", "cpu  200000 0 0 0 0 0 0\n");
    // The next comparison.
    if let Ok(compared) = &mut clock.usage {
        compared.compare_at = Duration::ZERO;
    }
    let given_up = clock.now().expect("it can be read");
    assert!(clock.describe().contains("cpuacct.usage` disagrees with it"), "{}", clock.describe());
    assert!(!clock.follows_cgroup());
    assert_eq!(others(&given_up), others(&five));
    machine.write("stat", "cpu  200700 0 0 0 0 0 0\n");
    let ticks = clock.now().expect("it can be read");
    assert!(is_about(others(&ticks), Duration::from_secs(12)), "{ticks:?}");
}

#[test]
fn a_usage_that_goes_away_is_replaced() {
    let machine = Machine::new(&[("stat", "cpu  100000 0 0 0 0 0 0\n"), (CPUACCT, "1000000000000\n")]);
    let mut clock = machine.clock(Topology::one_package(2));
    machine.write(CPUACCT, "");
    clock.now().expect("there is still the stat file");
    assert!(clock.describe().contains("cannot be read any more"), "{}", clock.describe());
}

#[test]
fn packages_have_the_work_of_their_processors() {
    let stat = |busy: u64| format!("cpu  {0} 0 0 0 0 0 0\ncpu0 100 0 0 0 0 0 0\ncpu1 {busy} 0 0 0 0 0 0\n", busy + 100);
    let machine = Machine::new(&[("stat", &stat(200))]);
    let mut clock = machine.clock(Topology::new(&[0, 1]));
    let before = clock.now().expect("it can be read").packages;
    assert_eq!(before[..3], [Duration::from_secs(1), Duration::from_secs(2), Duration::ZERO]);
    machine.write("stat", &stat(700));
    let after = clock.now().expect("it can be read").packages;
    assert_eq!(after[..3], [Duration::from_secs(1), Duration::from_secs(7), Duration::ZERO]);
    // Its processor is switched off.
    machine.write("stat", "cpu  800 0 0 0 0 0 0\ncpu0 100 0 0 0 0 0 0\n");
    assert_eq!(clock.now().expect("it can be read").packages, after);
}

#[test]
fn the_only_package_has_all_the_work() {
    let mut clock = ticking(Path::new("/proc")).expect("Linux has /proc/stat");
    let moment = clock.now().expect("it can be read");
    assert_eq!(moment.packages[0], moment.busy);
    assert!(moment.packages[1..].iter().all(Duration::is_zero));
}

#[test]
fn this_machine_s_root_cgroup_is_followed_or_refused_with_a_reason() {
    let topology = Topology::read(Path::new("/sys")).unwrap_or_else(|_| Topology::one_package(1));
    let mut clock = HostClock::open(Path::new("/proc"), Path::new("/sys"), topology).expect("Linux has /proc/stat");
    let before = clock.now().expect("it can be read");
    let described = clock.describe();
    std::thread::spawn(|| while super::super::thread::thread_cpu() < Duration::from_millis(30) {}).join().unwrap();
    let after = clock.now().expect("it can be read");
    assert!(after.busy - before.busy >= Duration::from_millis(30), "{before:?} {after:?}");
    assert!(described.contains("root cgroup, `/sys/fs/cgroup/") || described.contains("`/proc/stat`"), "{described}");
}

#[test]
fn a_recorded_machine_stands_still_while_the_process_works() {
    let mut clock = ticking(&fixture("skylake-sp")).expect("the fixture is there");
    let first = clock.now().expect("the fixture can be read");
    let second = clock.now().expect("the fixture can be read");
    assert_eq!(first.busy, first.process);
    assert!(second.process >= first.process && second.monotonic >= first.monotonic);
    assert_eq!(second.busy, second.process);
}

#[test]
fn others_are_what_the_file_gains_beyond_the_process() {
    let root = tempfile::tempdir().expect("a directory can be made");
    let stat = root.path().join("stat");
    std::fs::write(&stat, "cpu  100 0 0 0 0 0 0 0 0 0\n").expect("the file can be written");
    let mut clock = ticking(root.path()).expect("the file is there");
    std::fs::write(&stat, "cpu  9000100 0 0 0 0 0 0 0 0 0\n").expect("the file can be written");
    let moment = clock.now().expect("the file can be read");
    let others = moment.busy - moment.process;
    assert!(others <= Duration::from_secs(90_000) && others > Duration::from_secs(89_990), "{others:?}");
}

#[test]
fn this_machine_does_at_least_what_this_process_does() {
    let mut clock = ticking(Path::new("/proc")).expect("Linux has /proc/stat");
    let mut last = clock.now().expect("it can be read");
    for _ in 0..1000 {
        let now = clock.now().expect("it can be read");
        assert!(now.busy >= now.process && now.busy >= last.busy && now.process >= last.process);
        assert!(now.monotonic >= last.monotonic && now.boottime >= now.monotonic.min(last.boottime));
        last = now;
    }
}

#[test]
fn a_missing_file_is_named_and_the_cause_kept() {
    let error = ticking(Path::new("/nowhere")).expect_err("there is no such tree");
    assert_eq!(error.to_string(), "cannot open the processor times `/nowhere/stat`");
    assert!(error.source().is_some());
}

#[test]
fn a_file_of_something_else_is_quoted() {
    let root = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(root.path().join("stat"), "hello\nworld\n").expect("the file can be written");
    let error = ticking(root.path()).expect_err("that is no stat file");
    let cause = error.source().expect("the reading failed").to_string();
    assert!(cause.ends_with("stat` begins with `hello`, which is not a line of processor times"), "{cause}");
}
