//! CPU time and true energy of every consumer, by package.

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
struct Used {
    nanoseconds: u64,
    energy: JoulesByDomain,
}

#[derive(Debug)]
pub struct Accounts {
    functions: Vec<FunctionId>,
    /// By consumer, then by package.
    used: Vec<Used>,
    idle: Vec<JoulesByDomain>,
    activation: Vec<JoulesByDomain>,
    neighbours: Vec<JoulesByDomain>,
    /// CPU time of the process and of everything else by package, in nanoseconds.
    process: Vec<u64>,
    host: Vec<u64>,
}

impl Accounts {
    pub fn new(packages: usize) -> Self {
        Self {
            functions: Vec::new(),
            used: vec![Used::default(); packages * FIRST_FUNCTION],
            idle: vec![JoulesByDomain::default(); packages],
            activation: vec![JoulesByDomain::default(); packages],
            neighbours: vec![JoulesByDomain::default(); packages],
            process: vec![0; packages],
            host: vec![0; packages],
        }
    }

    /// The consumer number of a function.
    pub fn consumer(&mut self, function: FunctionId) -> usize {
        let known = self.functions.iter().position(|&known| known == function);
        FIRST_FUNCTION
            + known.unwrap_or_else(|| {
                self.functions.push(function);
                self.used.resize(self.used.len() + self.packages(), Used::default());
                self.functions.len() - 1
            })
    }

    pub fn charge(&mut self, consumer: usize, passed: &Passed) {
        let index = consumer * self.packages() + passed.package;
        let account = &mut self.used[index];
        account.nanoseconds += passed.nanoseconds;
        account.energy += JoulesByDomain { package: passed.execution.package, dram: passed.execution.dram };
        let clock = if consumer == HOST { &mut self.host } else { &mut self.process };
        clock[passed.package] += passed.nanoseconds;
    }

    /// Idle and activation energy of a package, and what other virtual machines used there.
    pub fn charge_package(
        &mut self,
        package: usize,
        idle: JoulesByDomain,
        activation: JoulesByDomain,
        neighbours: JoulesByDomain,
    ) {
        self.neighbours[package] += neighbours;
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
        let spent = |consumer: usize| {
            let Used { nanoseconds, energy } = self.used[consumer * self.packages() + package];
            Spent { cpu: Duration::from_nanos(nanoseconds), energy }
        };
        let functions = self.functions.iter().enumerate();
        Totals {
            functions: functions.map(|(index, &function)| (function, spent(FIRST_FUNCTION + index))).collect(),
            runtime: spent(RUNTIME),
            host: spent(HOST),
            activation: self.activation[package],
            idle: self.idle[package],
            neighbours: self.neighbours[package],
        }
    }

    pub fn packages(&self) -> usize {
        self.idle.len()
    }
}
