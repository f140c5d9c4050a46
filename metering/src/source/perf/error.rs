//! Why there are no energy events, and why one of them is not reported.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

/// Why no energy can be read at all. Each variant has another remedy.
#[derive(Debug, Error)]
pub enum OpenPerfError {
    /// There is no `power` PMU: another system, a virtual machine, or a kernel without the driver. The module is called
    /// `rapl`; in a container `/sys/bus/event_source` has to be there.
    #[error("there is no `power` PMU `{}`", path.display())]
    NoPmu {
        /// Where it would be.
        path: PathBuf,
    },
    /// The PMU is there and what describes it cannot be read or makes no sense.
    #[error("cannot tell what the `power` PMU is from `{}`", path.display())]
    DescribePmu {
        /// The file.
        path: PathBuf,
        /// What the kernel said, or what the file holds instead.
        source: io::Error,
    },
    /// The PMU is there and counts no energy that is known.
    #[error("the `power` PMU `{}` has no energy event", path.display())]
    NoEvent {
        /// The PMU's directory.
        path: PathBuf,
    },
    /// Energy events are there, but neither of a package nor of memory, so that nothing may be added up.
    #[error("no event of the `power` PMU `{}` is of a package or memory", path.display())]
    NoAdditiveEvent {
        /// The PMU's directory.
        path: PathBuf,
    },
    /// The kernel does not let this process count what the whole machine does: that takes
    /// `kernel.perf_event_paranoid` of 0 or less, or `CAP_PERFMON` (since Linux 5.8; `CAP_SYS_ADMIN` before). Container
    /// runtimes filter the system call besides.
    ///
    /// Source: Linux `Documentation/admin-guide/perf-security.rst`.
    #[error("may not open the energy event `{event}` ({})", Paranoid(*paranoid))]
    Forbidden {
        /// The first event that was refused.
        event: Box<str>,
        /// What `sys/kernel/perf_event_paranoid` below the procfs root says, where it can be read.
        paranoid: Option<i32>,
        /// What the kernel said.
        source: io::Error,
    },
    /// Events of packages or memory are there, and none can be used.
    #[error("cannot use the energy event `{event}`")]
    UseEvents {
        /// The first such event.
        event: Box<str>,
        /// What stands in the way there.
        source: EventObstacle,
    },
}

/// What `perf_event_paranoid` means for us.
struct Paranoid(Option<i32>);

impl fmt::Display for Paranoid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(level) if level > 0 => write!(f, "`kernel.perf_event_paranoid` is {level} and forbids it"),
            Some(level) => write!(f, "`kernel.perf_event_paranoid` is {level} and would allow it"),
            None => f.write_str("`kernel.perf_event_paranoid` cannot be read"),
        }
    }
}

/// What stands in the way of one event's being reported.
#[derive(Debug, Error)]
pub enum EventObstacle {
    /// A file that describes the event cannot be read.
    #[error("cannot read `{file}`")]
    Read {
        /// Its name in the PMU's directory.
        file: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file that describes the event holds something that is not understood: a unit other than `Joules`, a scale that
    /// is no decimal, an event that does not fit its format.
    #[error("`{file}` reads `{text}`, which is not understood")]
    Parse {
        /// Its name in the PMU's directory.
        file: String,
        /// Its text, shortened.
        text: String,
    },
    /// The kernel does not open the event.
    #[error("the kernel does not open it on processor {cpu}")]
    Open {
        /// The processor.
        cpu: u32,
        /// What the kernel said.
        source: io::Error,
    },
}

/// An event that exists and is not reported.
#[derive(Debug)]
pub struct SkippedEvent {
    /// Its name.
    pub event: Box<str>,
    /// What stands in the way.
    pub obstacle: EventObstacle,
}

impl fmt::Display for SkippedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.event, self.obstacle)
    }
}
