//! Usage of the root control group: the CPU time of the machine, finer than a tick, if the kernel shows it.
//!
//! | file | is | has |
//! |---|---|---|
//! | `fs/cgroup/cpuacct/cpuacct.usage` (version 1) | nanoseconds, summed up by the scheduler as it switches | what the thread clock has: no idling; interrupts unless the kernel keeps them apart, steal unless the hypervisor tells |
//! | `fs/cgroup/cpu.stat`, `user_usec` and `system_usec` (version 2, Linux 5.8) | the counters of `/proc/stat`, not yet cut to hundredths of a second | `user + nice` and `system + irq + softirq` |
//!
//! So the first is exact. The second is as fine as the tick of the kernel (1 to 10 ms), or exact with
//! `CONFIG_VIRT_CPU_ACCOUNTING`. The sum of the two, `usage_usec`, is not used: before Linux 6.14 it has stolen time too.
//!
//! In a container the same paths lead to its own control group. In version 2 the root is the only group without a file
//! `cgroup.type`. In version 1 nothing marks the root, but its usage since boot equals that of the machine. Neither
//! proves that it stays so; hence [`Watch`].
//!
//! Source: `root_cgroup_cputime` in Linux `kernel/cgroup/rstat.c`; `cpuacct_charge` in `kernel/sched/cpuacct.c`;
//! `cgroups(7)`; commits 936f2a70f207 (the root's `cpu.stat`) and its correction "Remove steal time from usage_usec".

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stat::TICK;

/// Bytes of a file that are read: the first three lines of `cpu.stat`, or one number.
const LENGTH_MAX: usize = 128;

#[derive(Debug)]
pub(super) struct Usage {
    file: File,
    pub(super) path: PathBuf,
    parse: fn(&str) -> Option<Duration>,
    pub(super) unit: &'static str,
}

impl Usage {
    /// Finds the root control group below `sysfs_root`, the finest figure first. The error is a reason for people.
    pub(super) fn open(sysfs_root: &Path, machine: Duration) -> Result<Self, String> {
        let cgroups = sysfs_root.join("fs/cgroup");
        let accounting = Self::open_file(cgroups.join("cpuacct/cpuacct.usage"), parse_usage_ns, "nanoseconds");
        if let Some((usage, time)) = accounting {
            if is_of_all(time, machine) {
                return Ok(usage);
            }
            return Err(format!("`{}` covers only a part of the machine", usage.path.display()));
        }
        let Some((usage, _)) = Self::open_file(cgroups.join("cpu.stat"), parse_cpu_stat, "the kernel's own ticks")
        else {
            return Err(format!("`{}` shows no cgroup with CPU time", cgroups.display()));
        };
        if cgroups.join("cgroup.type").exists() {
            return Err(format!("`{}` belongs to a control group other than the root", usage.path.display()));
        }
        Ok(usage)
    }

    fn open_file(path: PathBuf, parse: fn(&str) -> Option<Duration>, unit: &'static str) -> Option<(Self, Duration)> {
        let usage = Self { file: File::open(&path).ok()?, path, parse, unit };
        let time = usage.read()?;
        Some((usage, time))
    }

    /// Usage so far; `None` if the file can no longer be read.
    pub(super) fn read(&self) -> Option<Duration> {
        let mut buffer = [0; LENGTH_MAX];
        let length = self.file.read_at(&mut buffer, 0).ok()?;
        (self.parse)(std::str::from_utf8(&buffer[..length]).ok()?)
    }
}

/// Whether a time since the machine started is all of `machine`, as ticks tell it. They are samples, and good to some
/// per cent over hours; a container has missed what ran before and beside it.
fn is_of_all(usage: Duration, machine: Duration) -> bool {
    usage + TICK * 100 >= machine.mul_f64(0.9)
}

/// User and system time of a cgroup's `cpu.stat`, without stolen time.
#[must_use]
pub fn parse_cpu_stat(cpu_stat: &str) -> Option<Duration> {
    let time = |key: &str| {
        let value = cpu_stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
        value.trim_end().parse().ok().map(Duration::from_micros)
    };
    time("user_usec")?.checked_add(time("system_usec")?)
}

/// A cgroup's `cpuacct.usage`.
#[must_use]
pub fn parse_usage_ns(usage: &str) -> Option<Duration> {
    usage.trim_end().parse().ok().map(Duration::from_nanos)
}

/// Compares the usage with the ticks while both advance.
///
/// Ticks are samples: on a machine with little to do they may be far too high or too low. So a difference counts only
/// if it is half of the usage and more than [`SLACK`] per processor within one [`SPAN`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    since: Option<Both>,
    slack: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Both {
    monotonic: Duration,
    usage: Duration,
    ticks: Duration,
}

/// Time over which a difference may add up.
const SPAN: Duration = Duration::from_secs(60);

/// Error of the samples of one processor in that time.
const SLACK: Duration = Duration::from_millis(200);

impl Watch {
    pub(super) fn new(cpus: usize) -> Self {
        Self { since: None, slack: SLACK * u32::try_from(cpus).unwrap_or(u32::MAX) }
    }

    /// Takes readings of both. False if they cannot be for the same machine.
    pub(super) fn agree(&mut self, monotonic: Duration, usage: Duration, ticks: Duration) -> bool {
        let now = Both { monotonic, usage, ticks };
        let since = self.since.get_or_insert(now);
        let (used, ticked) = (usage.saturating_sub(since.usage), ticks.saturating_sub(since.ticks));
        if monotonic.saturating_sub(since.monotonic) >= SPAN {
            *since = now;
        }
        used.abs_diff(ticked) <= self.slack + used.max(ticked) / 2
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_files_are_understood() {
        let cpu_stat = "usage_usec 12815154161\nuser_usec 11963703697\nsystem_usec 851450464\n";
        assert_eq!(parse_cpu_stat(cpu_stat), Some(Duration::from_micros(12_815_154_161)));
        assert_eq!(parse_cpu_stat("user_usec 11963703697\n"), None);
        assert_eq!(parse_cpu_stat("usage_usec 12815154161\n"), None);
        assert_eq!(parse_usage_ns("12844450471477\n"), Some(Duration::from_nanos(12_844_450_471_477)));
        assert_eq!(parse_usage_ns(""), None);
    }

    #[test]
    fn stolen_time_that_old_kernels_count_as_usage_is_left_out() {
        let cpu_stat = "usage_usec 9000000\nuser_usec 3000000\nsystem_usec 1000000\n";
        assert_eq!(parse_cpu_stat(cpu_stat), Some(secs(4)));
    }

    #[test]
    fn what_is_less_than_a_tick_is_read_from_the_finest_file() {
        let root = tempfile::tempdir().expect("a directory can be made");
        let write = |name: &str, text: &str| {
            let path = root.path().join("fs/cgroup").join(name);
            std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("a directory can be made");
            std::fs::write(path, text).expect("the file can be written");
        };
        let read = || Usage::open(root.path(), secs(1000)).map(|usage| usage.read());
        assert!(read().is_err_and(|why| why.ends_with("fs/cgroup` shows no cgroup with CPU time")));
        write("cpu.stat", "usage_usec 1000003017\nuser_usec 1000003000\nsystem_usec 17\n");
        assert_eq!(read(), Ok(Some(Duration::from_micros(1_000_003_017))));
        write("cpuacct/cpuacct.usage", "1000003017019\n");
        assert_eq!(read(), Ok(Some(Duration::from_nanos(1_000_003_017_019))));
    }

    #[test]
    fn a_part_of_the_machine_is_not_all_of_it() {
        assert!(is_of_all(secs(12_856), secs(12_827)));
        assert!(is_of_all(secs(12_000), secs(12_827)));
        assert!(!is_of_all(secs(6000), secs(12_827)));
        assert!(!is_of_all(secs(0), secs(50)));
    }

    #[test]
    fn ticks_may_differ_for_a_while_and_not_for_long() {
        let mut watch = Watch::new(2);
        assert!(watch.agree(secs(0), secs(100), secs(500)));
        assert!(watch.agree(secs(1), secs(101), secs(501)));
        // Another cgroup's work is missing.
        assert!(!watch.agree(secs(11), secs(102), secs(521)));
        let mut watch = Watch::new(2);
        assert!(watch.agree(secs(0), secs(100), secs(500)));
        // It counts something else.
        assert!(!watch.agree(secs(20), secs(140), secs(510)));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in "(user|system|usage)_usec [0-9]{0,22}\nsystem_usec [0-9]{0,22}|\\PC{0,20}|[0-9]{0,22}\n") {
            let _ = (parse_cpu_stat(&text), parse_usage_ns(&text));
        }

        #[test]
        fn cutting_to_ticks_is_no_disagreement(steps in prop::collection::vec((0_u64..400_000, 0_u64..200_000), 1..500)) {
            let (mut watch, mut now, mut used) = (Watch::new(2), Duration::ZERO, Duration::ZERO);
            for (time, work) in steps {
                now += Duration::from_micros(time);
                used += Duration::from_micros(work);
                let ticks = Duration::from_millis(used.as_millis() as u64 / 10 * 10);
                prop_assert!(watch.agree(now, used, ticks));
            }
        }

        #[test]
        fn no_reading_is_too_large(readings: Vec<(u64, u64, u64)>) {
            let mut watch = Watch::new(usize::MAX);
            for (time, used, ticks) in readings {
                watch.agree(secs(time), secs(used), secs(ticks));
            }
        }
    }
}
