//! Time, and the CPU time of the machine and of this process.
//!
//! The CPU time of the machine comes from the root control group (`usage`) if that is finer than `/proc/stat`
//! (`stat`). Either is combined with the clock of the process (`busy`).

mod busy;
mod stat;
mod usage;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;

use self::busy::Busy;
use self::stat::LINE_LENGTH_MAX;
use self::usage::{Usage, Watch};
use super::topology::Topology;
use crate::work::frequency::{self, Clocks};
use crate::work::{Moment, PACKAGES_MAX};

pub use self::stat::{parse_cpu_count, parse_machine, parse_packages};
pub use self::usage::{parse_cpu_stat, parse_usage_ns};

/// Interval at which the usage of the root control group is compared with the ticks, which are more expensive to read.
const COMPARE_EVERY: Duration = Duration::from_secs(1);

/// Why the clock could not be opened.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenHostClockError {
    /// The file could not be opened.
    #[error("cannot open the processor times `{}`", path.display())]
    OpenStat { path: PathBuf, source: io::Error },
    /// The first reading failed.
    #[error("cannot take a first reading of the machine's clocks")]
    FirstReading(#[from] ReadHostError),
}

/// Why the clock could not be read.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum ReadHostError {
    /// The open file could not be read.
    #[error("cannot read the processor times `{}`", path.display())]
    ReadStat { path: PathBuf, source: io::Error },
    /// The file does not start with a line of processor times.
    #[error("`{}` begins with `{line}`, which is not a line of processor times", path.display())]
    ParseStat { path: PathBuf, line: String },
}

/// CPU time of child processes that work for this one. The system's clock of a process leaves it out until the child has
/// ended, and whoever watches the child knows it sooner.
#[derive(Debug, Default)]
pub struct Children {
    nanos: AtomicU64,
}

impl Children {
    /// Adds what a child has used since it was last asked.
    pub fn add(&self, cpu: Duration) {
        self.nanos.fetch_add(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn cpu(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// Reads [`Moment`]s.
#[derive(Debug)]
pub struct HostClock {
    stat: Stat,
    usage: Result<Compared, String>,
    busy: Busy,
    children: Arc<Children>,
    topology: Topology,
    packages: [Duration; PACKAGES_MAX],
    frequency: Option<Clocks>,
    /// The last moment, without its frequency.
    last: Moment,
}

/// Usage of the root control group, and the check that it is one.
#[derive(Debug)]
struct Compared {
    usage: Usage,
    watch: Watch,
    compare_at: Duration,
}

impl HostClock {
    /// Opens `stat` below `procfs_root` and the root control group below `sysfs_root`, if there is one, and takes the
    /// first reading.
    ///
    /// When `stat` cannot be opened or read, or has another format.
    pub fn open(procfs_root: &Path, sysfs_root: &Path, topology: Topology) -> Result<Self, OpenHostClockError> {
        let mut stat = Stat::open(procfs_root.join("stat"), &topology)?;
        let ticks = stat.machine()?;
        let watch = Watch::new(topology.cpus());
        let usage = Usage::open(sysfs_root, ticks);
        let usage = usage.map(|usage| Compared { usage, watch, compare_at: Duration::ZERO });
        let machine = usage.as_ref().ok().and_then(|compared| compared.usage.read()).unwrap_or(ticks);
        let (busy, children) = (Busy::new(machine, clock(ClockId::ProcessCPUTime)), Arc::default());
        let frequency = Clocks::open(sysfs_root, &topology);
        let (packages, last) = Default::default();
        Ok(Self { stat, usage, busy, children, topology, packages, frequency, last })
    }

    /// Counts the CPU time of these children as this process's.
    pub fn count_children(&mut self, children: Arc<Children>) {
        self.children = children;
    }

    fn process(&self) -> Duration {
        clock(ClockId::ProcessCPUTime) + self.children.cpu()
    }

    /// One line for people: the source of the CPU time of the machine, and if it is the coarse one, why. It may change
    /// when the finer one turns out to be for something else.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.usage {
            Ok(Compared { usage, .. }) => format!("root cgroup, `{}` in {}", usage.path.display(), usage.unit),
            Err(why) => format!("`{}` in hundredths of a second ({why})", self.stat.path.display()),
        }
    }

    /// Whether the CPU time of the machine comes from the root control group. Once false, it stays false.
    #[must_use]
    pub fn follows_cgroup(&self) -> bool {
        self.usage.is_ok()
    }

    /// The time and the work so far. The process is always this one, whatever `procfs_root` is.
    ///
    /// When `stat` cannot be read. A later call may succeed and then covers the time between.
    pub fn now(&mut self) -> Result<Moment, ReadHostError> {
        let monotonic = clock(ClockId::Monotonic);
        // The clock of the machine is read first and that of the process last, so what happens in between counts as
        // work of this process, which it is.
        let machine = self.machine(monotonic)?;
        let process = self.process();
        let busy = self.busy.advance(machine, process);
        let packages = self.packages(busy)?;
        let mut moment = Moment {
            monotonic: clock(ClockId::Monotonic),
            boottime: clock(ClockId::Boottime),
            busy,
            process,
            packages,
            ..Moment::default()
        };
        self.read_frequency(&mut moment);
        Ok(moment)
    }

    fn read_frequency(&mut self, moment: &mut Moment) {
        let last = std::mem::replace(&mut self.last, *moment);
        let Some(clocks) = &mut self.frequency else { return };
        let packages = std::array::from_fn(|of| moment.packages[of].saturating_sub(last.packages[of]));
        let (busy, elapsed) = (moment.busy.saturating_sub(last.busy), moment.monotonic.saturating_sub(last.monotonic));
        let shares = clocks.read(busy, &packages, elapsed);
        moment.frequency_ppm = millionths(shares.machine);
        moment.packages_ppm = shares.packages.map(|share| share.and_then(millionths).unwrap_or_default());
    }

    fn machine(&mut self, monotonic: Duration) -> Result<Duration, ReadHostError> {
        let Ok(compared) = &mut self.usage else { return self.stat.machine() };
        let Some(used) = compared.usage.read() else {
            return self.give_up("cannot be read any more");
        };
        if monotonic < compared.compare_at {
            return Ok(used);
        }
        compared.compare_at = monotonic + COMPARE_EVERY;
        let ticks = self.stat.machine()?;
        if compared.watch.agree(monotonic, used, ticks) {
            return Ok(used);
        }
        self.give_up("disagrees with it")
    }

    /// Continues with ticks from the current value.
    fn give_up(&mut self, why: &str) -> Result<Duration, ReadHostError> {
        let ticks = self.stat.machine()?;
        self.busy.rebase(ticks, self.process());
        if let Ok(Compared { usage, .. }) = &self.usage {
            self.usage = Err(format!("`{}` {why}", usage.path.display()));
        }
        Ok(ticks)
    }

    fn packages(&mut self, busy: Duration) -> Result<[Duration; PACKAGES_MAX], ReadHostError> {
        if self.topology.packages().len() <= 1 {
            self.packages[0] = busy;
        } else {
            let now = parse_packages(&self.stat.read()?, &self.topology);
            // A processor that goes offline takes its line with it.
            self.packages.iter_mut().zip(now).for_each(|(package, now)| *package = now.max(*package));
        }
        Ok(self.packages)
    }
}

#[derive(Debug)]
struct Stat {
    file: File,
    path: PathBuf,
    /// Large enough for the lines of all processors if packages are needed.
    buffer: Vec<u8>,
}

impl Stat {
    fn open(path: PathBuf, topology: &Topology) -> Result<Self, OpenHostClockError> {
        let file = File::open(&path).map_err(|source| OpenHostClockError::OpenStat { path: path.clone(), source })?;
        let lines = if topology.packages().len() <= 1 { 1 } else { topology.processors() + 1 };
        Ok(Self { file, path, buffer: vec![0; lines * LINE_LENGTH_MAX] })
    }

    fn read(&mut self) -> Result<std::borrow::Cow<'_, str>, ReadHostError> {
        let read = self.file.read_at(&mut self.buffer, 0);
        let length = read.map_err(|source| ReadHostError::ReadStat { path: self.path.clone(), source })?;
        Ok(String::from_utf8_lossy(&self.buffer[..length]))
    }

    fn machine(&mut self) -> Result<Duration, ReadHostError> {
        let text = self.read()?;
        if let Some(machine) = parse_machine(&text) {
            return Ok(machine);
        }
        let line = text.lines().next().unwrap_or_default().chars().take(40).collect();
        Err(ReadHostError::ParseStat { path: self.path.clone(), line })
    }
}

fn millionths(share: u128) -> Option<u32> {
    u32::try_from(share * 1_000_000 / frequency::WHOLE).ok()
}

fn clock(id: ClockId) -> Duration {
    // The kernel never returns a negative time or a nanosecond field out of range.
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
