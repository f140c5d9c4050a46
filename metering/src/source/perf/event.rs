//! Opens and reads one event. The only file in this folder that makes a system call other than reading files.

use std::io;
use std::time::Duration;

use perf_event::events::Raw;
use perf_event::{Builder, Counter};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Number of the PMU.
    pub(super) pmu: u32,
    /// The `config` of the event.
    pub(super) config: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// Counts since it was opened.
    pub(super) count: u64,
    /// Enabled time. Stands still while its processor is offline.
    pub(super) enabled: Duration,
}

pub(super) trait OpenEvent: Send {
    fn read(&mut self) -> io::Result<Count>;
}

/// Opens events: the kernel, or a test.
pub(super) trait Opener: Send {
    fn open(&mut self, event: Event, cpu: u32) -> io::Result<Box<dyn OpenEvent>>;
}

/// Opens events with `perf_event_open`.
pub(super) struct Kernel;

impl Opener for Kernel {
    /// Counts everything on `cpu`. The PMU counts for the whole package and cannot separate kernel and processes, so it
    /// refuses anything narrower: every `exclude_*` bit must be clear.
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
