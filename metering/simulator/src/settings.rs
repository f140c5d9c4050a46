//! The settings of a simulation: the machine, and what keeps it busy.

use std::time::Duration;

use crate::machine::Machine;
use crate::random::Random;
use crate::register::Faults;
use crate::task::Task;
use nebula_metering::FunctionId;

/// A length of time, evenly distributed around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// The mean.
    pub mean: Duration,
    /// Deviation in both directions, as a fraction of the mean, at most 1.
    pub spread: f64,
}

impl Length {
    /// Always the same.
    #[must_use]
    pub fn fixed(length: Duration) -> Self {
        Self { mean: length, spread: 0.0 }
    }

    /// From `mean · (1 − spread)` to `mean · (1 + spread)`.
    #[must_use]
    pub fn around(mean: Duration, spread: f64) -> Self {
        Self { mean, spread: spread.clamp(0.0, 1.0) }
    }

    /// One length, in nanoseconds.
    pub(crate) fn draw(self, random: &mut Random) -> u64 {
        let mean = self.mean.as_nanos() as f64;
        if self.spread == 0.0 {
            mean as u64
        } else {
            (mean * random.between(1.0 - self.spread, 1.0 + self.spread)) as u64
        }
    }
}

/// A function and how it is called: each of `concurrency` slots calls it, waits, and calls it again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Function {
    /// Its account.
    pub id: FunctionId,
    /// What its calls execute.
    pub task: Task,
    /// CPU time of a call.
    pub call_length: Length,
    /// Maximum number of calls at once, including those that wait for a processor.
    pub concurrency: usize,
    /// Pause between the end of a call and the arrival of the next in the same slot.
    pub gap: Length,
}

impl Function {
    /// A function called by one slot without pause.
    #[must_use]
    pub fn new(id: u32, task: Task, call_length: Duration) -> Self {
        let gap = Length::fixed(Duration::ZERO);
        Self { id: FunctionId(id), task, call_length: Length::fixed(call_length), concurrency: 1, gap }
    }
}

/// Other load on the machine, which no work counter sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLoad {
    /// Fraction of the processors that it keeps busy, 0 to 0.95.
    pub utilisation: f64,
    /// What it executes.
    pub task: Task,
    /// Variation of its power around that of the task, as a relative standard deviation: an AR(1) process with a time
    /// constant of about a second.
    pub wander: f64,
    /// How much its utilization changes from one stretch of about a second to the next: 0 for never, 1 for between
    /// nothing and twice as much.
    pub burstiness: f64,
    /// Whether each of its threads stays on its processor, even if the other thread of the core is busy, as the workers of
    /// `stress-ng` do.
    pub pinned: bool,
}

impl HostLoad {
    /// Nothing else runs.
    #[must_use]
    pub fn none() -> Self {
        Self::steady(0.0)
    }

    /// An ordinary task that keeps this fraction of the machine busy.
    #[must_use]
    pub fn steady(utilisation: f64) -> Self {
        Self { utilisation, task: Task::new(1.1, 2.0), wander: 0.0, burstiness: 0.0, pinned: false }
    }
}

/// Load of the daemon itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuntimeLoad {
    /// CPU time on the worker before each call, outside the call.
    pub per_call: Duration,
    /// Its steady load, as a fraction of one processor.
    pub steady: f64,
    /// What it executes.
    pub task: Task,
}

/// Resolution of the CPU time of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostClock {
    /// Nanoseconds, as from a control group.
    Exact,
    /// Ticks of 10 ms, rounded down, as from `/proc/stat`.
    Ticks,
}

/// Everything that determines a simulation. Equal settings give equal simulations.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Seed of the random numbers.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// Functions that are called.
    pub functions: Vec<Function>,
    /// Other load.
    pub host: HostLoad,
    /// Load of the daemon outside of calls.
    pub runtime: RuntimeLoad,
    /// Whether hardware events are counted.
    pub pmu: bool,
    /// Time after which a call yields its worker.
    pub tick: Duration,
    /// Threads that run calls.
    pub workers: usize,
    /// How exactly the work of others is seen.
    pub host_clock: HostClock,
    /// Faults of readings.
    pub faults: Faults,
}

impl Settings {
    /// A machine on which nothing is called and nothing else runs.
    #[must_use]
    pub fn new(seed: u64, machine: Machine) -> Self {
        let workers = machine.cpus();
        let runtime = RuntimeLoad { per_call: Duration::from_micros(15), steady: 0.002, task: Task::new(0.9, 3.0) };
        Self {
            seed,
            machine,
            functions: Vec::new(),
            host: HostLoad::none(),
            runtime,
            pmu: true,
            tick: Duration::from_millis(5),
            workers,
            host_clock: HostClock::Exact,
            faults: Faults::default(),
        }
    }
}
