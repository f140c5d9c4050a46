//! Errors of the perf source.

use std::path::PathBuf;
use std::{fmt, io};

use thiserror::Error;

/// Why no energy event can be used. Each variant has its own remedy.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenPerfError {
    /// There is no `power` PMU: another architecture, a virtual machine, or a kernel without the module `rapl`. In a
    /// container `/sys/bus/event_source` must be mounted.
    #[error("there is no `power` PMU `{}`", path.display())]
    NoPmu { path: PathBuf },
    /// The PMU exists, but its description cannot be read or understood.
    #[error("cannot understand the description of the `power` PMU in `{}`", path.display())]
    DescribePmu {
        path: PathBuf,
        /// What the kernel said, or what the file holds instead.
        source: io::Error,
    },
    /// The PMU exists but has no known energy event.
    #[error("the `power` PMU `{}` has no energy event", path.display())]
    NoEvent { path: PathBuf },
    /// There are energy events, but none for a package or memory, so nothing can be added up.
    #[error("the `power` PMU `{}` has no event for a package or memory", path.display())]
    NoAdditiveEvent { path: PathBuf },
    /// The kernel does not allow this process to count events of the whole machine. That requires
    /// `kernel.perf_event_paranoid` of 0 or less, or `CAP_PERFMON` (`CAP_SYS_ADMIN` before Linux 5.8). Container
    /// runtimes also filter the system call.
    ///
    /// Source: Linux `Documentation/admin-guide/perf-security.rst`.
    #[error("no permission to open the energy event `{event}` ({})", Paranoid(*paranoid))]
    Forbidden {
        /// The first event that was refused.
        event: Box<str>,
        /// What `sys/kernel/perf_event_paranoid` below the procfs root says, where it can be read.
        paranoid: Option<i32>,
        source: io::Error,
    },
    /// There are events for packages or memory, but none can be used.
    #[error("cannot use the energy event `{event}`")]
    UseEvents { event: Box<str>, source: EventObstacle },
}

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

/// Why one event is not used.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum EventObstacle {
    /// A file that describes the event cannot be read.
    #[error("cannot read `{file}`")]
    Read { file: String, source: io::Error },
    /// A file that describes the event is not understood: a unit other than `Joules`, a scale that is not a decimal, or
    /// a value that does not fit its format.
    #[error("`{file}` reads `{text}`, which is not understood")]
    Parse { file: String, text: String },
    /// The kernel does not open the event.
    #[error("the kernel does not open it on processor {cpu}")]
    Open { cpu: u32, source: io::Error },
}

/// An event that exists but is not used.
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
