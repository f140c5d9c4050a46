//! The simulation's own books: CPU time and true energy by party and package.

use std::time::Duration;

use crate::hardware::Passed;
use crate::truth::{JoulesByDomain, Spent, Totals};
use nebula_metering::FunctionId;

/// Everything else that runs.
pub const HOST: usize = 0;
/// The daemon without its calls.
pub const RUNTIME: usize = 1;
const FIRST_FUNCTION: usize = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    nanoseconds: u64,
    energy: JoulesByDomain,
}

/// What everybody has used, by package.
#[derive(Debug)]
pub struct Books {
    functions: Vec<FunctionId>,
    /// By party, and within a party by package.
    entries: Vec<Entry>,
    idle: Vec<JoulesByDomain>,
    activation: Vec<f64>,
    /// CPU time of the process and of others by package, in nanoseconds.
    process: Vec<u64>,
    host: Vec<u64>,
}

impl Books {
    /// Empty books of a machine.
    pub fn new(packages: usize) -> Self {
        Self {
            functions: Vec::new(),
            entries: vec![Entry::default(); packages * FIRST_FUNCTION],
            idle: vec![JoulesByDomain::default(); packages],
            activation: vec![0.0; packages],
            process: vec![0; packages],
            host: vec![0; packages],
        }
    }

    /// The party that stands for a function.
    pub fn party(&mut self, function: FunctionId) -> usize {
        let known = self.functions.iter().position(|&known| known == function);
        FIRST_FUNCTION
            + known.unwrap_or_else(|| {
                self.functions.push(function);
                self.entries.resize(self.entries.len() + self.packages(), Entry::default());
                self.functions.len() - 1
            })
    }

    /// Execution by a party.
    pub fn book(&mut self, party: usize, passed: &Passed) {
        let index = party * self.packages() + passed.package;
        let entry = &mut self.entries[index];
        entry.nanoseconds += passed.nanoseconds;
        entry.energy += JoulesByDomain { package: passed.execution.package, dram: passed.execution.dram };
        let clock = if party == HOST { &mut self.host } else { &mut self.process };
        clock[passed.package] += passed.nanoseconds;
    }

    /// What a package drew because time passed, and because it was busy.
    pub fn book_package(&mut self, package: usize, idle: JoulesByDomain, activation: f64) {
        self.idle[package] += idle;
        self.activation[package] += activation;
    }

    /// CPU time of the process on a package, in nanoseconds.
    pub fn process(&self, package: usize) -> u64 {
        self.process[package]
    }

    /// CPU time of everything else on a package, in nanoseconds.
    pub fn host(&self, package: usize) -> u64 {
        self.host[package]
    }

    /// Everything that happened on one package.
    pub fn totals_of(&self, package: usize) -> Totals {
        let spent = |party: usize| {
            let Entry { nanoseconds, energy } = self.entries[party * self.packages() + package];
            Spent { cpu: Duration::from_nanos(nanoseconds), energy }
        };
        let functions = self.functions.iter().enumerate();
        Totals {
            functions: functions.map(|(index, &function)| (function, spent(FIRST_FUNCTION + index))).collect(),
            runtime: spent(RUNTIME),
            host: spent(HOST),
            activation: self.activation[package],
            idle: self.idle[package],
        }
    }

    /// How many packages there are.
    pub fn packages(&self) -> usize {
        self.idle.len()
    }
}
