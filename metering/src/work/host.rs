//! What time it is, and how much the machine and this process have worked until now.
//!
//! `/proc/stat` begins with a line of ticks, summed over all processors:
//!
//! ```text
//! cpu  user nice system idle iowait irq softirq steal guest guest_nice
//! ```
//!
//! Work is `user + nice + system + irq + softirq`. Not in it: `idle` and `iowait`, which are two names for doing
//! nothing and may run backwards; `steal`, while the hypervisor ran someone else and this machine stood still;
//! `guest` and `guest_nice`, which the kernel has already counted in `user` and `nice`.
//!
//! Source: `proc_stat(5)`; `show_stat` in Linux `fs/proc/stat.c`; `account_guest_time` in `kernel/sched/cputime.c`.

mod busy;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;

use self::busy::Busy;
use crate::source::Moment;

/// Length of a tick in `/proc/stat`: one hundredth of a second, whatever the kernel's own `HZ` is.
///
/// `USER_HZ` is part of the ABI: 100 in Linux `include/asm-generic/param.h`, and otherwise only on alpha (1024) and on
/// ia64 until its removal, for neither of which Rust has a Linux target.
const TICK_MS: u64 = 10;

/// Longest first line: `cpu`, ten numbers of at most 20 digits with a blank each, and a second blank.
const LINE_LENGTH_MAX: usize = 256;

/// Why there is no clock.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file could not be opened.
    #[error("cannot open the processor times `{}`", path.display())]
    OpenStat {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The first reading failed.
    #[error("cannot take a first reading of the machine's clocks")]
    FirstReading(#[from] ReadHostError),
}

/// Why the clock could not be read.
#[derive(Debug, Error)]
pub enum ReadHostError {
    /// The file was open and could not be read.
    #[error("cannot read the processor times `{}`", path.display())]
    ReadStat {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file was read and does not begin with a line of processor times.
    #[error("`{}` begins with `{line}`, which is not a line of processor times", path.display())]
    ParseStat {
        /// The file.
        path: PathBuf,
        /// Its first line, shortened.
        line: String,
    },
}

/// Tells [`Moment`]s. One reading costs 3 to 4 µs, most of it the kernel's for writing out `/proc/stat`.
#[derive(Debug)]
pub struct HostClock {
    stat: File,
    path: PathBuf,
    busy: Busy,
}

impl HostClock {
    /// Opens `stat` below `procfs_root` and takes the first reading, from which the work of others is counted.
    ///
    /// # Errors
    /// When the file cannot be opened or read, or is not what Linux writes.
    pub fn open(procfs_root: &Path) -> Result<Self, OpenError> {
        let path = procfs_root.join("stat");
        let stat = File::open(&path).map_err(|source| OpenError::OpenStat { path: path.clone(), source })?;
        let busy = Busy::new(read_machine(&stat, &path)?, clock(ClockId::ProcessCPUTime));
        Ok(Self { stat, path, busy })
    }

    /// The time, and the work done until now. The process is always this one, whatever `procfs_root` was.
    ///
    /// # Errors
    /// When `stat` can no longer be read. A later call may succeed, and then accounts for the time between.
    pub fn now(&mut self) -> Result<Moment, ReadHostError> {
        let machine = read_machine(&self.stat, &self.path)?;
        // The process's clock is read last and the machine's first, so that what happens in between looks like this
        // process's work, which it is, and never like that of others.
        let process = clock(ClockId::ProcessCPUTime);
        Ok(Moment {
            monotonic: clock(ClockId::Monotonic),
            boottime: clock(ClockId::Boottime),
            busy: self.busy.advance(machine, process),
            process,
            packages: Default::default(),
        })
    }
}

/// How many processors are online, by the `cpuN` lines of a `stat` file; zero when it has none.
#[must_use]
pub fn parse_cpu_count(stat: &str) -> usize {
    let is_cpu = |line: &&str| {
        line.split_ascii_whitespace()
            .next()
            .and_then(|word| word.strip_prefix("cpu"))
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    stat.lines().filter(is_cpu).count()
}

fn clock(id: ClockId) -> Duration {
    // The kernel never gives a negative time or a nanosecond field out of range, which is all that can fail here.
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}

fn read_machine(stat: &File, path: &Path) -> Result<Duration, ReadHostError> {
    let mut buffer = [0; LINE_LENGTH_MAX];
    let length =
        stat.read_at(&mut buffer, 0).map_err(|source| ReadHostError::ReadStat { path: path.to_path_buf(), source })?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    let line = text.lines().next().unwrap_or_default();
    parse_machine(line)
        .ok_or_else(|| ReadHostError::ParseStat { path: path.to_path_buf(), line: line.chars().take(40).collect() })
}

/// Work in the first line of a `stat` file, or `None` if it is no such line or its sum is no possible time.
fn parse_machine(line: &str) -> Option<Duration> {
    let mut fields = line.strip_prefix("cpu ")?.split_ascii_whitespace().map(str::parse::<u64>);
    let mut field = || fields.next()?.ok();
    let [user, nice, system, _idle, _iowait, irq, softirq] =
        [field()?, field()?, field()?, field()?, field()?, field()?, field()?];
    let ticks = [user, nice, system, irq, softirq].into_iter().try_fold(0_u64, u64::checked_add)?;
    Some(Duration::from_millis(ticks.checked_mul(TICK_MS)?))
}

#[cfg(test)]
mod tests;
