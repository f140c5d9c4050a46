//! The processors at work: what each has done and cost since it was last looked at.

use crate::machine::{Execution, Machine, Task};
use crate::truth::JoulesByDomain;

/// What passed on one processor since it was last settled.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Its package.
    pub package: usize,
    /// CPU time.
    pub nanoseconds: u64,
    /// What was done and what it cost.
    pub execution: Execution,
    /// The processor's part of that time, which its package hands out in equal parts to those that are busy, in
    /// nanoseconds.
    pub part: f64,
}

#[derive(Clone, Copy, Debug)]
struct Processor {
    package: usize,
    sibling: Option<usize>,
    task: Option<Task>,
    /// Until when it is settled.
    since: u64,
    /// Where the package's `parts` stood then.
    parts: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Package {
    ghz: f64,
    busy: usize,
    /// Until when the following are right.
    at: u64,
    /// ∫ dt / busy processors, over the time in which there are any, in nanoseconds.
    parts: f64,
    /// Time in which any processor was busy, in nanoseconds.
    active: u64,
    /// Energy of execution since it was last taken out, in joules.
    executed: JoulesByDomain,
    /// Cycles, and nanoseconds in which they were made, since they were last taken out.
    cycles: (f64, u64),
}

/// The processors and packages of a machine.
#[derive(Debug)]
pub struct Hardware {
    machine: Machine,
    processors: Vec<Processor>,
    packages: Vec<Package>,
}

impl Hardware {
    /// A machine at rest.
    pub fn new(machine: Machine) -> Self {
        let processor = |cpu| Processor {
            package: machine.package_of(cpu),
            sibling: machine.sibling_of(cpu),
            task: None,
            since: 0,
            parts: 0.0,
        };
        let processors = (0..machine.cpus()).map(processor).collect();
        let ghz = machine.frequency_ghz(1);
        let packages = vec![Package { ghz, ..Package::default() }; machine.packages];
        Self { machine, processors, packages }
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The other thread of a processor's core.
    pub fn sibling(&self, cpu: usize) -> Option<usize> {
        self.processors[cpu].sibling
    }

    /// Whether a processor runs something.
    pub fn is_busy(&self, cpu: usize) -> bool {
        self.processors[cpu].task.is_some()
    }

    /// Whether nothing runs on a processor's whole core.
    pub fn is_core_idle(&self, cpu: usize) -> bool {
        !self.is_busy(cpu) && self.sibling(cpu).is_none_or(|sibling| !self.is_busy(sibling))
    }

    /// What a processor has done since it was last settled; `None` if that is nothing.
    pub fn settle(&mut self, cpu: usize, now: u64) -> Option<Passed> {
        let processor = self.processors[cpu];
        let task = processor.task?;
        let nanoseconds = now - processor.since;
        if nanoseconds == 0 {
            return None;
        }
        let beside_sibling = processor.sibling.is_some_and(|sibling| self.is_busy(sibling));
        let package = &mut self.packages[processor.package];
        package.advance(now);
        let execution = self.machine.execute(&task, package.ghz, beside_sibling, nanoseconds as f64);
        package.cycles.0 += execution.cycles;
        package.cycles.1 += nanoseconds;
        package.executed += JoulesByDomain { package: execution.package, dram: execution.dram };
        let part = package.parts - processor.parts;
        self.processors[cpu].since = now;
        self.processors[cpu].parts = package.parts;
        Some(Passed { package: processor.package, nanoseconds, execution, part })
    }

    /// An idle processor begins to execute. Its sibling, which runs slower from now on, must have been settled.
    pub fn occupy(&mut self, cpu: usize, now: u64, task: Task) {
        let processor = &mut self.processors[cpu];
        let package = &mut self.packages[processor.package];
        package.advance(now);
        package.busy += 1;
        (processor.task, processor.since, processor.parts) = (Some(task), now, package.parts);
    }

    /// A busy processor, which must have been settled, goes on with something else.
    pub fn change(&mut self, cpu: usize, task: Task) {
        self.processors[cpu].task = Some(task);
    }

    /// A busy processor becomes idle. It and its sibling must have been settled.
    pub fn release(&mut self, cpu: usize, now: u64) {
        let processor = &mut self.processors[cpu];
        let package = &mut self.packages[processor.package];
        package.advance(now);
        package.busy -= 1;
        processor.task = None;
    }

    /// The packages choose the frequencies that their busy cores allow. All processors must have been settled.
    pub fn choose_frequencies(&mut self) {
        let Machine { packages, cores, .. } = self.machine;
        for package in 0..packages {
            let core_cpus = package * cores..(package + 1) * cores;
            let busy = core_cpus.filter(|&cpu| !self.is_core_idle(cpu)).count();
            self.packages[package].ghz = self.machine.frequency_ghz(busy);
        }
    }

    /// Takes out the mean frequency at which all processors have worked, relative to the highest; `None` where none has.
    pub fn take_frequency(&mut self) -> Option<f64> {
        let taken = self.packages.iter_mut().map(|package| std::mem::take(&mut package.cycles));
        let (cycles, nanoseconds) = taken.fold((0.0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        (nanoseconds > 0).then(|| cycles / nanoseconds as f64 / self.machine.frequency_ghz(1))
    }

    /// Takes out the energy of execution of a package; all processors must have been settled.
    pub fn take_executed(&mut self, package: usize) -> JoulesByDomain {
        std::mem::take(&mut self.packages[package].executed)
    }

    /// Time in which any processor of a package was busy, in nanoseconds.
    pub fn active(&mut self, package: usize, now: u64) -> u64 {
        self.packages[package].advance(now);
        self.packages[package].active
    }
}

impl Package {
    fn advance(&mut self, now: u64) {
        let passed = now - self.at;
        if self.busy > 0 && passed > 0 {
            self.parts += passed as f64 / self.busy as f64;
            self.active += passed;
        }
        self.at = now;
    }
}
