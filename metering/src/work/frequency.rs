//! Clock speed of the processors, if the kernel shows it.
//!
//! The published figures are for processors at full load, which run as fast as they can. Work at a lower clock draws
//! less. Switching power is capacitance times voltage squared times frequency (Chandrakasan, Sheng and Brodersen,
//! "Low-Power CMOS Digital Design", IEEE JSSC 27(4), 1992). The voltage falls with the frequency down to a floor, so
//! the truth lies between a straight line and a cube. The voltage at each frequency is not published. This module uses
//! the straight line, which charges work at a low clock rather too much.
//!
//! The clock is sampled once per window. Working processors are taken to be the fastest ones: if a window held the work
//! of three processors, the mean of the three highest clocks counts.
//!
//! On x86 the kernel computes what these files show from the registers `APERF` and `MPERF` of each processor, sampled by
//! its tick (Linux 5.19). The `msr` events of perf count the same registers over a whole window. They are not used: to
//! read an event of another processor the kernel interrupts it, which would wake idle ones ten times a second.
//!
//! Source: Linux `Documentation/admin-guide/pm/cpufreq.rst`, on the attributes of a policy; `arch_freq_get_on_cpu` in
//! `arch/x86/kernel/cpu/aperfmperf.c`; `perf_event_read` in `kernel/events/core.c`.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use crate::sysfs::attribute::{read_attribute, read_optional_number};
use crate::sysfs::cpu_list::parse_cpu_list;
use crate::sysfs::number_file::{NumberFile, ReadNumberError};
use crate::work::PACKAGES_MAX;
use crate::work::topology::Topology;

/// The highest frequency, in the unit of shares.
pub(crate) const WHOLE: u128 = 1_000_000;

/// Maximum number of processors whose clock is read, evenly spread. A reading takes about a microsecond, and 64 samples
/// are enough for the mean.
const FILES_MAX: usize = 64;

/// Added to the relative error if the clock is used, because the clock of the published figures is not published. It is
/// taken to be `cpuinfo_max_freq`, which a few cores reach; all cores together reach 3.6 of 4.0 GHz on a Xeon E5-2667
/// v2. A fifth leaves room for processors with more cores.
///
/// Source: Intel support article 000056901, "Available Bins of Intel Turbo Boost Technology".
pub const REFERENCE_ERROR: f64 = 0.2;

#[derive(Debug)]
struct Clock {
    package: usize,
    file: NumberFile,
    max_khz: u64,
}

/// The clocks of all processors, or of a sample of them.
#[derive(Debug)]
pub(crate) struct Clocks {
    sampled: Vec<Clock>,
    topology: Topology,
    /// Buffer for one reading of each clock, with its package.
    shares: Vec<(u128, usize)>,
}

/// Mean clocks of the processors that worked, relative to their highest, in parts of [`WHOLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// [`WHOLE`] if no clock can be read.
    pub machine: u128,
    pub packages: [Option<u128>; PACKAGES_MAX],
}

impl Clocks {
    /// Opens the clocks below `sysfs_root`. `None` if none can be read, as in most virtual machines.
    pub(crate) fn open(sysfs_root: &Path, topology: &Topology) -> Option<Self> {
        let all = sysfs_root.join("devices/system/cpu");
        let online = read_attribute(&all.join("online")).ok().and_then(|text| parse_cpu_list(&text));
        let cpus = online.unwrap_or_else(|| (0..u32::try_from(topology.cpus()).unwrap_or(u32::MAX)).collect());
        let step = cpus.len().div_ceil(FILES_MAX).max(1);
        let clock = |cpu: &u32| Clock::open(topology.package_of(*cpu), &all.join(format!("cpu{cpu}/cpufreq")));
        let sampled: Vec<_> = cpus.iter().step_by(step).filter_map(clock).collect();
        let shares = Vec::with_capacity(sampled.len());
        (!sampled.is_empty()).then(|| Self { sampled, topology: topology.clone(), shares })
    }

    /// The clocks of the processors that worked for `busy` in `elapsed`, and for `packages` of it on each package.
    pub(crate) fn read(&mut self, busy: Duration, packages: &[Duration; PACKAGES_MAX], elapsed: Duration) -> Shares {
        self.shares.clear();
        self.shares.extend(self.sampled.iter().filter_map(|clock| Some((clock.share()?, clock.package))));
        self.shares.sort_unstable_by(|one, other| other.cmp(one));
        let mean = |package: Option<usize>, busy: Duration| {
            let cpus = package.map_or(self.topology.cpus(), |package| self.topology.cpus_of(package));
            let is_here = |of: &usize| package.is_none_or(|package| package == *of);
            let sampled = self.sampled.iter().filter(|clock| is_here(&clock.package)).count();
            let working = working(sampled, cpus, busy, elapsed).max(1);
            let shares = self.shares.iter().filter(|(_, of)| is_here(of)).map(|(share, _)| share).take(working);
            let (sum, count) = shares.fold((0, 0), |(sum, count), share| (sum + share, count + 1));
            (count > 0).then(|| sum / count)
        };
        let known = self.topology.packages().len();
        let of_package = |package| (package < known).then(|| mean(Some(package), packages[package])).flatten();
        Shares { machine: mean(None, busy).unwrap_or(WHOLE), packages: std::array::from_fn(of_package) }
    }
}

/// How many of the `sampled` clocks of `cpus` processors belong to working ones, rounded up.
fn working(sampled: usize, cpus: usize, busy: Duration, elapsed: Duration) -> usize {
    let read = busy.as_nanos().saturating_mul(sampled as u128);
    let working = read.div_ceil(elapsed.as_nanos().saturating_mul(cpus as u128).max(1));
    usize::try_from(working).unwrap_or(usize::MAX)
}

impl Clock {
    /// `cpuinfo_avg_freq`, which the processor counts itself, or else `scaling_cur_freq`.
    fn open(package: usize, directory: &Path) -> Option<Self> {
        let max_khz = read_optional_number(&directory.join("cpuinfo_max_freq")).filter(|&khz| khz > 0)?;
        let files = ["cpuinfo_avg_freq", "scaling_cur_freq"].map(|name| NumberFile::open(directory.join(name)));
        let file = files.into_iter().filter_map(Result::ok).find(answers)?;
        Some(Self { package, file, max_khz })
    }

    /// `None` if the processor is idle or offline.
    fn share(&self) -> Option<u128> {
        let khz = self.file.read().ok()?;
        Some(u128::from(khz.min(self.max_khz)) * WHOLE / u128::from(self.max_khz))
    }
}

/// Whether a clock can be read, now or once its processor is not idle: `cpuinfo_avg_freq` of an idle one gives
/// `EAGAIN`.
fn answers(file: &NumberFile) -> bool {
    matches!(file.read(), Ok(_) | Err(ReadNumberError::Refused(Errno::AGAIN)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn machine(clocks_khz: &[&str]) -> TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (cpu, khz) in clocks_khz.iter().enumerate() {
            let directory = root.path().join(format!("devices/system/cpu/cpu{cpu}/cpufreq"));
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join("cpuinfo_max_freq"), "4000000\n").expect("a file");
            fs::write(directory.join("scaling_cur_freq"), khz).expect("a file");
        }
        root
    }

    fn share(root: &TempDir, threads: usize, busy_ms: u64) -> u128 {
        let mut clocks = Clocks::open(root.path(), &Topology::one_package(threads)).expect("clocks");
        machine_share(&mut clocks, Duration::from_millis(busy_ms), Duration::from_millis(100))
    }

    fn machine_share(clocks: &mut Clocks, busy: Duration, elapsed: Duration) -> u128 {
        clocks.read(busy, &[Duration::ZERO; PACKAGES_MAX], elapsed).machine
    }

    #[test]
    fn those_at_work_are_the_fastest() {
        let root = machine(&["800000\n", "3000000\n", "800000\n", "2000000\n"]);
        assert_eq!(share(&root, 4, 0), 750_000, "whatever little there was");
        assert_eq!(share(&root, 4, 100), 750_000, "one processor");
        assert_eq!(share(&root, 4, 101), 625_000, "two");
        assert_eq!(share(&root, 4, 400), 412_500, "all");
        assert_eq!(share(&root, 4, 4000), 412_500, "more than there are");
    }

    #[test]
    fn each_package_has_a_clock_of_its_own() {
        let root = machine(&["800000\n", "2000000\n", "4000000\n", "1000000\n"]);
        let mut clocks = Clocks::open(root.path(), &Topology::new(&[0, 1, 0, 1])).expect("clocks");
        let mut packages = [Duration::ZERO; PACKAGES_MAX];
        (packages[0], packages[1]) = (Duration::from_millis(100), Duration::from_millis(150));
        let shares = clocks.read(Duration::from_millis(250), &packages, Duration::from_millis(100));
        assert_eq!(shares.packages[..3], [Some(WHOLE), Some(375_000), None]);
        assert_eq!(shares.machine, 583_333);
    }

    #[test]
    fn a_clock_beyond_the_highest_is_the_highest() {
        assert_eq!(share(&machine(&["4100000\n"]), 1, 100), WHOLE);
    }

    #[test]
    fn the_clock_that_the_processor_counts_is_preferred() {
        let root = machine(&["4000000\n", "4000000\n"]);
        let counted = |cpu: u32| root.path().join(format!("devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_avg_freq"));
        fs::write(counted(0), "1000000\n").expect("a file");
        fs::write(counted(1), "<unknown>\n").expect("a file");
        assert_eq!(share(&root, 2, 200), 625_000);
    }

    #[test]
    fn one_that_does_not_answer_is_left_out() {
        let root = machine(&["1000000\n", "3000000\n"]);
        let mut clocks = Clocks::open(root.path(), &Topology::one_package(2)).expect("clocks");
        let second = Duration::from_secs(1);
        assert_eq!(machine_share(&mut clocks, 2 * second, second), 500_000);
        fs::write(root.path().join("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"), "<unknown>\n").expect("a file");
        assert_eq!(machine_share(&mut clocks, 2 * second, second), 750_000);
        fs::write(root.path().join("devices/system/cpu/cpu1/cpufreq/scaling_cur_freq"), "\n").expect("a file");
        assert_eq!(machine_share(&mut clocks, 2 * second, second), WHOLE);
    }

    #[test]
    fn no_more_than_64_are_read_from_all_over_the_machine() {
        let root = machine(&vec!["1000000\n"; 200]);
        fs::write(root.path().join("devices/system/cpu/online"), "0-199\n").expect("a file");
        let clocks = Clocks::open(root.path(), &Topology::one_package(200)).expect("clocks");
        assert_eq!(clocks.sampled.len(), 50, "every fourth");
        assert!(clocks.sampled.last().expect("a clock").file.path.to_string_lossy().contains("/cpu196/"));
        assert_eq!(working(50, 200, Duration::from_millis(800), Duration::from_millis(100)), 2, "8 of 200");
    }

    #[test]
    fn without_a_clock_or_its_highest_frequency_there_is_none() {
        let empty = tempfile::tempdir().expect("a directory");
        assert!(Clocks::open(empty.path(), &Topology::one_package(4)).is_none());
        let root = machine(&["1000000\n"]);
        fs::write(root.path().join("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), "0\n").expect("a file");
        assert!(Clocks::open(root.path(), &Topology::one_package(1)).is_none());
    }
}
