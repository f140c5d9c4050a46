//! The truth: the energy of every call, and of all consumers together.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Mul};
use std::time::Duration;

use nebula_metering::work::Work;
use nebula_metering::{CallId, FunctionId};

/// Energy of a package and of its memory, in joules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JoulesByDomain {
    /// Energy of packages.
    pub package: f64,
    /// Energy of memory.
    pub dram: f64,
}

impl JoulesByDomain {
    /// Both together.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.package + self.dram
    }
}

impl Mul<f64> for JoulesByDomain {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self { package: self.package * factor, dram: self.dram * factor }
    }
}

impl AddAssign for JoulesByDomain {
    fn add_assign(&mut self, other: Self) {
        self.package += other.package;
        self.dram += other.dram;
    }
}

/// The true energy of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Truth {
    /// Energy of its own execution: its cycles, instructions and misses, at the frequency and voltage at which they
    /// ran.
    pub active: JoulesByDomain,
    /// Its share of the activation energy: at every instant, equal parts among the busy processors of the package. Not in
    /// `active`.
    pub activation: JoulesByDomain,
    /// Its share of the idle energy, divided in the same way. Not in `active`.
    pub base: JoulesByDomain,
}

/// A call that has ended, with its true energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndedCall {
    /// The call.
    pub call: CallId,
    /// The function it called.
    pub function: FunctionId,
    /// When its first slice began, on the virtual monotonic clock.
    pub started: Duration,
    /// When its last slice ended.
    pub ended: Duration,
    /// The sum of its slices.
    pub work: Work,
    /// Its true energy.
    pub truth: Truth,
}

/// What one consumer has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// CPU time.
    pub cpu: Duration,
    /// Energy.
    pub energy: JoulesByDomain,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.energy += other.energy;
    }
}

/// True energies since the start. Together they are what the zones used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Active energy of the calls of each function.
    pub functions: BTreeMap<FunctionId, Spent>,
    /// The daemon without its calls.
    pub runtime: Spent,
    /// Everything else that ran.
    pub host: Spent,
    /// Activation energy.
    pub activation: JoulesByDomain,
    /// Idle energy.
    pub idle: JoulesByDomain,
    /// Other virtual machines on the same packages.
    pub neighbours: JoulesByDomain,
}

impl Totals {
    /// All parts together: the energy of the zones.
    #[must_use]
    pub fn sum(&self) -> JoulesByDomain {
        let mut sum = self.activation;
        sum += self.idle;
        sum += self.neighbours;
        sum += self.runtime.energy;
        sum += self.host.energy;
        self.functions.values().for_each(|spent| sum += spent.energy);
        sum
    }

    /// CPU time of all calls.
    #[must_use]
    pub fn functions_cpu(&self) -> Duration {
        self.functions.values().map(|spent| spent.cpu).sum()
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        for (function, spent) in other.functions {
            *self.functions.entry(function).or_default() += spent;
        }
        self.runtime += other.runtime;
        self.host += other.host;
        self.activation += other.activation;
        self.idle += other.idle;
        self.neighbours += other.neighbours;
    }
}
