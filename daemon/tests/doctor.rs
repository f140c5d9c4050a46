//! `nebula doctor` on simulated machines: its report and exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is wrong")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const NEBULA: &str = env!("CARGO_BIN_EXE_nebula");

/// Somebody who is not root. Source: the kernel's `overflowuid`.
const NOBODY: u32 = 65_534;

const SERVER: &str = "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 4\nflags : fpu\n";
const GUEST: &str =
    "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 4\nflags : fpu hypervisor\n";
const STAT: &str = "cpu  1 2 3 4 5 6 7 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\n";

/// A machine with a `/sys` and a `/proc` of its own.
struct Machine(TempDir);

impl Machine {
    fn new(cpuinfo: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::set_permissions(machine.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(machine.path("sys/class")).unwrap();
        fs::create_dir_all(machine.path("proc/sys/kernel")).unwrap();
        fs::write(machine.path("proc/cpuinfo"), cpuinfo).unwrap();
        fs::write(machine.path("proc/stat"), STAT).unwrap();
        fs::write(machine.path("proc/sys/kernel/perf_event_paranoid"), "2\n").unwrap();
        machine
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    fn add_zone(&self, id: &str, name: &str) {
        let directory = self.path("sys/class/powercap").join(id);
        fs::create_dir_all(&directory).unwrap();
        for (file, text) in [("name", name), ("energy_uj", "12345678\n"), ("max_energy_range_uj", "262143328850\n")] {
            fs::write(directory.join(file), text).unwrap();
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(NEBULA);
        command.env_clear().arg("doctor");
        command.arg("--sysfs-root").arg(self.path("sys")).arg("--procfs-root").arg(self.path("proc"));
        command
    }

    fn doctor(&self) -> (Option<i32>, String) {
        examined(&mut self.command())
    }
}

fn examined(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The status of an item: the word before its name.
#[track_caller]
fn status<'a>(report: &'a str, item: &str) -> &'a str {
    let line = report.lines().find(|line| line.split_whitespace().nth(1) == Some(item));
    line.and_then(|line| line.split_whitespace().next()).unwrap_or_else(|| panic!("no `{item}` in\n{report}"))
}

#[test]
fn a_machine_with_counters_can_measure() {
    let machine = Machine::new(SERVER);
    machine.add_zone("intel-rapl:0", "package-0");
    machine.add_zone("intel-rapl:0:0", "core");
    machine.add_zone("intel-rapl:0:1", "dram");
    let (code, report) = machine.doctor();
    assert_eq!(code, Some(0), "{report}");
    for item in ["powercap", "package-0", "core-0", "dram-0", "model", "host", "--source"] {
        assert_eq!(status(&report, item), "ok", "{item}:\n{report}");
    }
    let cores = machine.path("sys/class/powercap/intel-rapl:0:0");
    assert!(report.contains(&format!("`{}`: shown, not added", cores.display())), "{report}");
    assert!(report.contains("ranks by CPU time"), "the model says so: {report}");
    assert!(report.contains("2 zones are measured and added"), "{report}");
    assert!(report.contains("chooses `powercap`: it is the best source and works"), "{report}");
    assert!(!report.contains('\x1b'), "no colours where there is no terminal: {report:?}");
}

#[test]
fn without_the_driver_auto_takes_the_best_source_there_is() {
    let machine = Machine::new(SERVER);
    let (code, report) = machine.doctor();
    assert_eq!(code, Some(1), "{report}");
    for item in ["powercap", "perf", "hwmon"] {
        assert_eq!(status(&report, item), "missing", "{report}");
    }
    let library = if cfg!(feature = "rapl-energy") { "rapl-energy" } else { "not in this build" };
    for part in ["-> sudo modprobe rapl ", "-> sudo modprobe intel_rapl_msr", "chooses `model`", library] {
        assert!(report.contains(part), "{part}: {report}");
    }
    fs::create_dir(machine.path("sys/class/powercap")).unwrap();
    let (_, report) = machine.doctor();
    assert!(report.contains("has no RAPL zone") && report.contains("-> sudo modprobe intel_rapl_msr"), "{report}");

    let sensor = machine.path("sys/class/hwmon/hwmon0");
    fs::create_dir_all(&sensor).unwrap();
    for (file, text) in [("name", "amd_energy"), ("energy1_label", "Esocket0"), ("energy1_input", "123456789")] {
        fs::write(sensor.join(file), format!("{text}\n")).unwrap();
    }
    let (code, report) = machine.doctor();
    assert_eq!((code, status(&report, "hwmon")), (Some(0), "ok"), "{report}");
    let auto = report.lines().find(|line| line.contains("chooses `hwmon`: ")).unwrap_or_else(|| panic!("{report}"));
    assert!(auto.contains("`powercap`: ") && auto.contains("; `perf`: ") && !auto.contains("`model`"), "{auto}");
}

#[test]
fn a_virtual_machine_needs_counters_from_its_host() {
    let (code, report) = Machine::new(GUEST).doctor();
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("does not expose RAPL"), "{report}");
}

#[test]
fn a_container_needs_the_hosts_sys() {
    let machine = Machine::new(SERVER);
    fs::create_dir_all(machine.path("sys/class/powercap")).unwrap();
    fs::create_dir_all(machine.path("sys/devices/virtual/powercap")).unwrap();
    let hidden = "../../devices/virtual/powercap/intel-rapl/intel-rapl:0";
    symlink(hidden, machine.path("sys/class/powercap/intel-rapl:0")).unwrap();
    let (code, report) = machine.doctor();
    assert_eq!(code, Some(1), "{report}");
    assert_eq!((status(&report, "powercap"), status(&report, "zone")), ("masked", "masked"));
    assert!(report.contains("-v /sys:/host/sys:ro") && report.contains("--sysfs-root /host/sys"), "{report}");
}

#[test]
fn unreadable_counters_need_a_capability() {
    let machine = Machine::new(SERVER);
    machine.add_zone("intel-rapl:0", "package-0");
    let counter = machine.path("sys/class/powercap/intel-rapl:0/energy_uj");
    fs::set_permissions(&counter, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = machine.command();
    if rustix::process::geteuid().is_root() {
        // Root may read whatever it likes; somebody else may not, and perhaps not even run the program where it lies.
        command.uid(NOBODY).gid(NOBODY);
        if let Err(error) = command.output() {
            return println!("SKIPPED: cannot run the program as somebody else: {error}");
        }
    }
    let (code, report) = examined(&mut command);
    assert_eq!(code, Some(1), "{report}");
    assert_eq!((status(&report, "powercap"), status(&report, "package-0")), ("forbidden", "forbidden"));
    assert!(report.contains("-> sudo setcap cap_dac_read_search+ep "), "{report}");
    assert!(report.contains("AmbientCapabilities=CAP_DAC_READ_SEARCH"), "{report}");
    assert!(report.contains("/etc/udev/rules.d/"), "{report}");
}

#[test]
fn a_machine_that_is_not_calibrated_is_told_how() {
    let machine = Machine::new(SERVER);
    machine.add_zone("intel-rapl:0", "package-0");
    let doctor = || examined(machine.command().arg("--state").arg(machine.path("state")));
    let (code, report) = doctor();
    assert_eq!((code, status(&report, "calibration")), (Some(0), "missing"), "{report}");
    assert!(report.contains("-> nebula calibrate "), "{report}");
    fs::create_dir(machine.path("state")).unwrap();
    let file = machine.path("state/knowledge.json");
    fs::write(&file, "no JSON").unwrap();
    let (_, report) = doctor();
    assert_eq!(status(&report, "calibration"), "broken", "{report}");
    assert!(file.exists(), "the doctor only looks");
    let (_, report) = Machine::new(GUEST).doctor();
    assert!(report.contains("nothing to calibrate"), "{report}");
}

#[test]
fn a_missing_proc_stat_is_reported() {
    let machine = Machine::new(SERVER);
    fs::remove_file(machine.path("proc/stat")).unwrap();
    let (_, report) = machine.doctor();
    assert_eq!(status(&report, "host"), "missing");
    assert!(report.contains("--procfs-root"), "{report}");
}

#[test]
fn a_root_that_does_not_exist_is_a_mistake() {
    let output = Command::new(NEBULA).env_clear().args(["doctor", "--sysfs-root", "/nonexistent"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent"));
}
