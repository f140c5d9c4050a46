//! Opening and reading one event: the only place here that asks the kernel for more than a file.

use std::io;
use std::time::Duration;

use perf_event::events::Raw;
use perf_event::{Builder, Counter};

/// What the kernel is asked to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The PMU's number.
    pub(super) pmu: u32,
    /// What it is to count.
    pub(super) config: u64,
}

/// What an event has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// Counts since it was opened.
    pub(super) count: u64,
    /// For how long it has counted. Stands still when its processor has gone.
    pub(super) enabled: Duration,
}

/// An event that has been opened.
pub(super) trait OpenEvent: Send {
    fn read(&mut self) -> io::Result<Count>;
}

/// Whoever opens events: the kernel, or a test.
pub(super) trait Opener: Send {
    fn open(&mut self, event: Event, cpu: u32) -> io::Result<Box<dyn OpenEvent>>;
}

/// Opens events with `perf_event_open`.
pub(super) struct Kernel;

impl Opener for Kernel {
    /// Counts whatever runs on `cpu`. The PMU refuses anything else: it counts for the whole package, and cannot tell
    /// the kernel from its processes, so that every `exclude_*` bit has to be clear.
    ///
    /// Source: Linux `arch/x86/events/rapl.c`, `rapl_pmu_event_init` and `PERF_PMU_CAP_NO_EXCLUDE`.
    fn open(&mut self, Event { pmu, config }: Event, cpu: u32) -> io::Result<Box<dyn OpenEvent>> {
        let mut builder = Builder::new(Raw::new(config));
        builder.attrs_mut().type_ = pmu;
        builder.any_pid().one_cpu(cpu as usize).include_kernel().include_hv();
        let mut counter = builder.build()?;
        counter.enable()?;
        Ok(Box::new(counter))
    }
}

impl OpenEvent for Counter {
    fn read(&mut self) -> io::Result<Count> {
        let read = self.read_count_and_time()?;
        Ok(Count { count: read.count, enabled: Duration::from_nanos(read.time_enabled) })
    }
}
