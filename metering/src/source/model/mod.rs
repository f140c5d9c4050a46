//! Energy without counters: estimated from the kind of processor and how busy it is. Never to be mistaken for a
//! measurement.
//!
//! Most virtual machines have no energy counter. For a known kind of hardware thread, the power when idle and at full
//! load is known, and in between it follows a [curve]:
//!
//! ```text
//! package = threads · (idle · elapsed + (full − idle) · curve(busy / threads / elapsed) · clock · elapsed)
//! dram = watts · elapsed
//! ```
//!
//! `elapsed` is monotonic time, which stops while the machine sleeps. `busy` is the CPU time of everything on the
//! machine. The sum over all readings counts from the first, which is zero. `clock` is the frequency at which that work
//! was done, relative to the highest, if the kernel [shows](crate::work::frequency) it, and one otherwise.
//!
//! The package [states](Stated) what a thread draws at full load, and how much more or less with hardware events that
//! differ from the ordinary. Energy above idle is shared by that, so functions are ranked by CPU time alone, or by CPU
//! time and events.
//!
//! In a virtual machine, each virtual CPU counts as one hardware thread. What the hypervisor and other guests draw is
//! not included, nor is stolen time work: `/proc/stat` counts it apart. The clock of a process may hold stolen time,
//! unless the kernel was built with `CONFIG_PARAVIRT_TIME_ACCOUNTING`.

pub mod coefficients;
pub mod cpu;
pub mod curve;
pub mod memory;
mod sentence;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::coefficients::Coefficients;
use self::cpu::{Processor, parse_cpuinfo};
use self::curve::Curve;
use self::memory::{Memory, parse_meminfo};
use self::sentence::Sentence;
use super::{CounterSpec, ReadError, Source, SourceKind, Stated};
use crate::units::{Microjoules, Watts};
use crate::work::Moment;
use crate::work::frequency::{self, Clocks};
use crate::work::host::parse_cpu_count;
use crate::work::reader::WorkReader;
use crate::work::topology::Topology;
use crate::zone::{Domain, Zone};

/// How far above full load a window may seem to be. Work comes in ticks of 10 ms, so a window of a few milliseconds may
/// hold the work of many. The bound catches `/proc/stat` jumping by hours.
const LEAP_MAX: f64 = 100.0;

/// Added to the error in a virtual machine, where the load of the host decides what one more busy thread costs. Between
/// 20 and 80 % load, the slope between two recorded loads is within 80 % of the straight line's in 50 of 55 cases, where
/// the recorded servers themselves are within 60 % of the row.
const GUEST_ERROR: f64 = 0.2;

/// The largest error that is stated. Beyond it, only the order of magnitude is known.
const ERROR_MAX: f64 = 0.95;

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
    curve: Curve,
    memory: Option<Memory>,
    /// Whether the kernel shows the clock.
    follows_clock: bool,
    counts_events: bool,
    counters: Vec<CounterSpec>,
    /// The first reading, and the furthest since.
    span: Option<(Moment, Moment)>,
    /// Sum over the windows since the first reading: time of one thread at full load that costs as much, in parts of
    /// [`curve::WHOLE`], times the clock in parts of [`frequency::WHOLE`].
    weighed: u128,
}

impl Model {
    /// Reads the kind of processor and the memory size from `cpuinfo`, `stat` and `meminfo` below `procfs_root`, and
    /// from `devices/system/cpu` below `sysfs_root` whether there is a clock, which moments then hold. An unknown
    /// processor gets generic figures with a wider error. Without `meminfo` memory is left out, and without a clock the
    /// highest is assumed.
    ///
    /// When the number of processors is unknown.
    pub fn open(procfs_root: &Path, sysfs_root: &Path) -> Result<Self, OpenModelError> {
        let mut processor = parse_cpuinfo(&read_text(&procfs_root.join("cpuinfo")).unwrap_or_default());
        if processor.threads == 0 {
            processor.threads = count_processors(&procfs_root.join("stat"))?;
        }
        let memory = read_text(&procfs_root.join("meminfo")).ok().and_then(|text| parse_meminfo(&text));
        let coefficients = Coefficients::of(&processor);
        let held = if coefficients.includes_memory { processor.threads } else { 0 };
        let memory = memory.map(|total_kib| Memory::new(total_kib, held));
        let follows_clock = Clocks::open(sysfs_root, &Topology::one_package(processor.threads as usize)).is_some();
        Ok(Self::new(processor, coefficients, memory, follows_clock))
    }

    /// [`Model::open`] on the machine of this process: it knows whether this thread can count hardware events.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn of_machine(sysfs_root: &Path, procfs_root: &Path) -> Result<Self, OpenModelError> {
        let (reader, _) = WorkReader::probe(sysfs_root);
        Ok(Self::open(procfs_root, sysfs_root)?.counting_events(reader.has_events()))
    }

    fn new(processor: Processor, coefficients: Coefficients, memory: Option<Memory>, follows_clock: bool) -> Self {
        let curve =
            if processor.is_whole() { Curve::through(&curve::RISE, processor.threads) } else { Curve::straight() };
        let mut model = Self {
            processor,
            coefficients,
            curve,
            memory,
            follows_clock,
            counts_events: false,
            counters: Vec::new(),
            span: None,
            weighed: 0,
        };
        let (idle, full, thread) = (model.idle_watts(), model.full_watts(), model.thread_watts());
        model.counters.push(model.counter(Domain::Package, full, idle, thread, model.relative_error()));
        if let Some(draw) = model.memory_watts() {
            model.counters.push(model.counter(Domain::Dram, draw, draw, Watts(0.0), memory::RELATIVE_ERROR));
        }
        model
    }

    /// Tells the model whether the work of calls comes with hardware events. It then says that they weigh in.
    #[must_use]
    pub fn counting_events(mut self, counts_events: bool) -> Self {
        self.counts_events = counts_events;
        self
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

    /// Error of the processor figure under load, as a fraction at 95 % confidence.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        let reference = if self.follows_clock() { frequency::REFERENCE_ERROR } else { 0.0 };
        let guest = if self.processor.is_guest { GUEST_ERROR } else { 0.0 };
        (self.coefficients.relative_error + reference + guest).min(ERROR_MAX)
    }

    /// Whether the clock is known and used.
    #[must_use]
    pub fn follows_clock(&self) -> bool {
        self.follows_clock
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

    /// Power of a thread at full load above its idle power.
    #[must_use]
    pub fn thread_watts(&self) -> Watts {
        watts(u64::from(self.coefficients.full_milliwatts - self.coefficients.idle_milliwatts))
    }

    /// Constant power of memory beyond what the processor figure includes; `None` if there is none, or its size is
    /// unknown.
    #[must_use]
    pub fn memory_watts(&self) -> Option<Watts> {
        self.memory.map(Memory::milliwatts).filter(|&milliwatts| milliwatts > 0).map(watts)
    }

    /// A counter of the whole machine. It bears the number of the package if there is only one.
    fn counter(&self, domain: Domain, full: Watts, idle: Watts, thread: Watts, relative_error: f64) -> CounterSpec {
        CounterSpec {
            source: SourceKind::Model,
            zone: Zone::new(domain, if self.processor.packages == 1 { "0" } else { "" }),
            range: None,
            watts_max: Watts(full.0 * LEAP_MAX),
            quantum: Microjoules(1),
            relative_error,
            base: Some(idle),
            stated: Some(Stated { thread, counts_cache_misses: self.processor.is_intel() }),
        }
    }

    /// Energy of package and memory from the first reading to `moment`.
    ///
    /// It is summed up in integers and cut to microjoules only at the end, so errors do not add up. How the span is cut
    /// into windows matters only as far as the [curve] is bent.
    fn energy(&mut self, moment: &Moment) -> [Microjoules; 2] {
        let (start, furthest) = self.span.get_or_insert((*moment, *moment));
        let passed = moment.monotonic.saturating_sub(furthest.monotonic);
        let worked = moment.busy.saturating_sub(furthest.busy);
        furthest.monotonic = furthest.monotonic.max(moment.monotonic);
        furthest.busy = furthest.busy.max(moment.busy);
        let elapsed = furthest.monotonic.saturating_sub(start.monotonic).as_nanos();
        let clock = moment.frequency_ppm.map_or(frequency::WHOLE, u128::from);
        let full_time = self.curve.full_time(self.processor.threads, passed, worked);
        self.weighed = self.weighed.saturating_add(full_time.saturating_mul(clock));
        let Coefficients { idle_milliwatts, full_milliwatts, .. } = self.coefficients;
        let idle = u128::from(self.processor.threads) * u128::from(idle_milliwatts);
        let rise = u128::from(full_milliwatts - idle_milliwatts);
        let memory = self.memory.map_or(0, |memory| u128::from(memory.milliwatts()));
        [
            microjoules(
                idle.saturating_mul(elapsed)
                    .saturating_add(rise.saturating_mul(self.weighed) / (curve::WHOLE * frequency::WHOLE)),
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
        let sentence = Sentence {
            processor: &self.processor,
            microarchitecture: self.microarchitecture(),
            idle: self.idle_watts(),
            full: self.full_watts(),
            relative_error: self.relative_error(),
            memory: self.memory,
            follows_clock: self.follows_clock,
            counts_events: self.counts_events,
        };
        sentence.write()
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
