//! Energy without counters: estimated from the kind of processor and how busy it is. Never to be mistaken for a
//! measurement.
//!
//! Most virtual machines have no energy counter. For a known kind of hardware thread, the power when idle and at full
//! load is known, and in between it is taken as linear:
//!
//! ```text
//! package = threads · idle · elapsed + (full − idle) · busy · clock       dram = watts · elapsed
//! ```
//!
//! `elapsed` is monotonic time, which stops while the machine sleeps. `busy` is the CPU time of everything on the
//! machine. Both count from the first reading, which is zero. `clock` is the frequency at which that work was done,
//! relative to the highest, if the kernel [shows](crate::work::frequency) it, and one otherwise.
//!
//! In a virtual machine, each virtual CPU counts as one hardware thread. What the hypervisor and other guests draw is
//! not included.

pub mod coefficients;
pub mod cpu;
pub mod memory;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::coefficients::Coefficients;
use self::cpu::{Processor, parse_cpuinfo};
use self::memory::{Memory, parse_meminfo};
use super::{ReadError, Source, SourceKind};
use crate::source::CounterSpec;
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::work::frequency::{self, Clocks};
use crate::work::host::parse_cpu_count;
use crate::zone::{Domain, Zone};

/// How far above full load a window may seem to be. Work comes in ticks of 10 ms, so a window of a few milliseconds may
/// hold the work of many. The bound catches `/proc/stat` jumping by hours.
const LEAP_MAX: f64 = 100.0;

/// 1 mW for 1 ns is 1 pJ.
const PICOJOULES_PER_MICROJOULE: u128 = 1_000_000;

/// Why the model could not be opened.
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
#[derive(Debug, Error)]
pub enum OpenModelError {
    /// Neither `cpuinfo` nor `stat` lists a processor.
    #[error("cannot find out how many processors there are from `{}`", path.display())]
    CountProcessors {
        path: PathBuf,
        /// The error of the kernel, or that the file lists none.
        source: io::Error,
    },
}

/// A model of the processor and memory of this machine.
#[derive(Debug)]
pub struct Model {
    processor: Processor,
    coefficients: Coefficients,
    memory: Option<Memory>,
    /// `None` if the clock is unknown.
    clocks: Option<Clocks>,
    counters: Vec<CounterSpec>,
    /// The first reading, and the furthest since.
    span: Option<(Moment, Moment)>,
    /// Work since the first reading, each nanosecond multiplied by its clock in parts of [`frequency::WHOLE`].
    weighed: u128,
}

impl Model {
    /// Reads the kind of processor and the memory size from `cpuinfo`, `stat` and `meminfo` below `procfs_root`, and
    /// the clock from `devices/system/cpu` below `sysfs_root`. An unknown processor gets generic figures with a wider
    /// error. Without `meminfo` memory is left out, and without a clock the highest is assumed.
    ///
    /// When the number of processors is unknown.
    pub fn open(procfs_root: &Path, sysfs_root: &Path) -> Result<Self, OpenModelError> {
        let mut processor = parse_cpuinfo(&read_text(&procfs_root.join("cpuinfo")).unwrap_or_default());
        if processor.threads == 0 {
            processor.threads = count_processors(&procfs_root.join("stat"))?;
        }
        let memory = read_text(&procfs_root.join("meminfo")).ok().and_then(|text| parse_meminfo(&text));
        let memory = memory.map(|total_kib| Memory::new(total_kib, processor.threads));
        let clocks = Clocks::open(sysfs_root, processor.threads);
        Ok(Self::new(processor, memory, clocks))
    }

    fn new(processor: Processor, memory: Option<Memory>, clocks: Option<Clocks>) -> Self {
        let coefficients = Coefficients::of(processor.signature.as_ref());
        let mut model = Self { processor, coefficients, memory, clocks, counters: Vec::new(), span: None, weighed: 0 };
        let (idle, full) = (model.idle_watts(), model.full_watts());
        model.counters.push(counter(Domain::Package, full, idle, model.relative_error()));
        if let Some(draw) = model.memory_watts() {
            model.counters.push(counter(Domain::Dram, draw, draw, memory::RELATIVE_ERROR));
        }
        model
    }

    /// The microarchitecture of the figures; `None` if they are generic.
    #[must_use]
    pub fn microarchitecture(&self) -> Option<&'static str> {
        self.coefficients.microarchitecture
    }

    /// Number of hardware threads or virtual CPUs.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.processor.threads
    }

    /// Error of the processor figure, as a fraction at 95 % confidence.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        let reference = if self.follows_clock() { frequency::REFERENCE_ERROR } else { 0.0 };
        self.coefficients.relative_error + reference
    }

    /// Whether the clock is known and used.
    #[must_use]
    pub fn follows_clock(&self) -> bool {
        self.clocks.is_some()
    }

    /// Power of all processors when idle, with the memory that this figure includes.
    #[must_use]
    pub fn idle_watts(&self) -> Watts {
        watts(u64::from(self.threads()) * u64::from(self.coefficients.idle_milliwatts))
    }

    /// Power of all processors at full load, with the memory that this figure includes.
    #[must_use]
    pub fn full_watts(&self) -> Watts {
        watts(u64::from(self.threads()) * u64::from(self.coefficients.full_milliwatts))
    }

    /// Constant power of memory beyond what the processor figure includes; `None` if there is none, or its size is
    /// unknown.
    #[must_use]
    pub fn memory_watts(&self) -> Option<Watts> {
        self.extra_memory().map(|memory| watts(memory.milliwatts()))
    }

    fn extra_memory(&self) -> Option<Memory> {
        self.memory.filter(|memory| memory.milliwatts() > 0)
    }

    /// Energy of package and memory from the first reading to `moment`.
    ///
    /// It is computed from the whole span in integers and cut to microjoules only at the end. So errors do not add up:
    /// a thousand readings give the same total as one.
    fn energy(&mut self, moment: &Moment) -> [Microjoules; 2] {
        let (start, furthest) = self.span.get_or_insert((*moment, *moment));
        let passed = moment.monotonic.saturating_sub(furthest.monotonic);
        let worked = moment.busy.saturating_sub(furthest.busy);
        furthest.monotonic = furthest.monotonic.max(moment.monotonic);
        furthest.busy = furthest.busy.max(moment.busy);
        let elapsed = furthest.monotonic.saturating_sub(start.monotonic).as_nanos();
        let share = match &mut self.clocks {
            Some(clocks) if !worked.is_zero() => clocks.share(worked, passed),
            _ => frequency::WHOLE,
        };
        self.weighed = self.weighed.saturating_add(worked.as_nanos().saturating_mul(share));
        let Coefficients { idle_milliwatts, full_milliwatts, .. } = self.coefficients;
        let idle = u128::from(self.processor.threads) * u128::from(idle_milliwatts);
        let rise = u128::from(full_milliwatts - idle_milliwatts);
        let memory = self.memory.map_or(0, |memory| u128::from(memory.milliwatts()));
        [
            microjoules(
                idle.saturating_mul(elapsed).saturating_add(rise.saturating_mul(self.weighed) / frequency::WHOLE),
            ),
            microjoules(memory.saturating_mul(elapsed)),
        ]
    }
}

impl Source for Model {
    fn kind(&self) -> SourceKind {
        SourceKind::Model
    }

    fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    fn read(&mut self, moment: &Moment, readings: &mut Vec<Result<Microjoules, ReadError>>) {
        readings.clear();
        let energy = self.energy(moment);
        readings.extend(energy.into_iter().take(self.counters.len()).map(Ok));
    }

    fn describe(&self) -> String {
        sentence(self)
    }
}

/// The power of processors and memory, the error of both, and what the figures are for.
fn sentence(model: &Model) -> String {
    let (idle, full, error) = (model.idle_watts().0, model.full_watts().0, model.relative_error() * 100.0);
    let clock = if model.follows_clock() { " following the clock" } else { "" };
    let memory = match (model.memory, model.memory_watts()) {
        (Some(memory), Some(watts)) => format!(
            "{:.1} of {:.1} GiB RAM: {:.1} W ±{:.0} %",
            memory.beyond_gib(),
            memory.total_gib(),
            watts.0,
            memory::RELATIVE_ERROR * 100.0
        ),
        (Some(memory), None) => format!("{:.1} GiB RAM included", memory.total_gib()),
        (None, _) => "RAM unknown".to_owned(),
    };
    format!("CPU {idle:.1}–{full:.1} W{clock} ±{error:.0} %; {memory} (estimated for {})", processors(model))
}

fn processors(model: &Model) -> String {
    let processor = &model.processor;
    let kind = match (processor.is_guest, model.threads()) {
        (true, 1) => "virtual CPU",
        (true, _) => "virtual CPUs",
        (false, 1) => "thread",
        (false, _) => "threads",
    };
    let of = match (model.microarchitecture(), &processor.name) {
        (Some(microarchitecture), _) => microarchitecture.to_owned(),
        (None, Some(name)) => format!("an average server, because `{name}` is not listed"),
        (None, None) => "an average server, because the processor is unknown".to_owned(),
    };
    format!("{} {kind} of {of}", model.threads())
}

fn counter(domain: Domain, full: Watts, idle: Watts, relative_error: f64) -> CounterSpec {
    CounterSpec {
        source: SourceKind::Model,
        zone: Zone::new(domain, "0"),
        range: None,
        watts_max: Watts(full.0 * LEAP_MAX),
        quantum: Microjoules(1),
        relative_error,
        base: Some(idle),
    }
}

fn watts(milliwatts: u64) -> Watts {
    Watts(milliwatts as f64 / 1e3)
}

fn microjoules(picojoules: u128) -> Microjoules {
    Microjoules(u64::try_from(picojoules / PICOJOULES_PER_MICROJOULE).unwrap_or(u64::MAX))
}

fn read_text(path: &Path) -> io::Result<String> {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn count_processors(stat: &Path) -> Result<u32, OpenModelError> {
    let none = || io::Error::new(io::ErrorKind::InvalidData, "it lists no processor");
    let counted = read_text(stat).and_then(|text| match u32::try_from(parse_cpu_count(&text)) {
        Ok(0) | Err(_) => Err(none()),
        Ok(count) => Ok(count),
    });
    counted.map_err(|source| OpenModelError::CountProcessors { path: stat.to_path_buf(), source })
}

#[cfg(test)]
mod tests;
