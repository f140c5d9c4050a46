//! What ran in a window, and the weights for splitting its energy.

use std::time::Duration;

use super::conditions::Conditions;
use crate::post::{FunctionId, Purpose};
use crate::work::Work;

/// What ran on the package of a zone in one window.
#[derive(Clone, Debug, Default)]
pub struct Consumption {
    /// The work of each function's calls, and of its preparation; each at most once.
    pub functions: Vec<FunctionWork>,
    /// CPU time of this process without its calls.
    pub runtime: Duration,
    /// CPU time of everything else.
    pub host: Duration,
    /// Time in which any processor was busy.
    pub awake: Duration,
    /// Its standard deviation.
    pub awake_doubt: Duration,
    /// Conditions under which all of it ran.
    pub conditions: Conditions,
}

/// The work of one function's calls, or of its preparation.
#[derive(Clone, Copy, Debug)]
pub struct FunctionWork {
    pub function: FunctionId,
    pub purpose: Purpose,
    pub work: Work,
    /// Part of it that ran beside a busy thread on the same core, 0 to 1.
    pub beside: f64,
}

impl FunctionWork {
    /// Who is charged for it.
    pub fn consumer(&self) -> (FunctionId, Purpose) {
        (self.function, self.purpose)
    }

    /// Adds more work of the same consumer.
    pub fn add(&mut self, work: Work, beside: f64) {
        let (mine, theirs) = (self.work.cpu.as_secs_f64(), work.cpu.as_secs_f64());
        if mine + theirs > 0.0 {
            self.beside = (self.beside * mine + beside * theirs) / (mine + theirs);
        }
        self.work += work;
    }
}

impl Consumption {
    /// CPU time of all calls, and of all preparing.
    pub fn calls_cpu(&self) -> Duration {
        self.functions.iter().map(|part| part.work.cpu).sum()
    }
}

/// Weights for splitting the energy of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Each function's calls, and each preparation, in the order of the consumption.
    pub functions: Vec<u64>,
    /// This process without its calls.
    pub runtime: u64,
    /// Everything else.
    pub host: u64,
    /// What the zone draws when nothing runs, and waking it, which nobody in particular causes.
    pub base: u64,
}

/// Joules in whole picojoules.
pub fn weight(joules: f64) -> u64 {
    (joules.max(0.0) * 1e12).round() as u64
}
