//! The processors at work: what each has done and used since it was last settled.

use std::time::Duration;

use crate::machine::{Execution, Machine};
use crate::task::Task;
use crate::truth::JoulesByDomain;

/// What happened on a processor since it was last settled.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    pub package: usize,
    pub nanoseconds: u64,
    pub execution: Execution,
    /// Share of that time among the busy processors of the package, in nanoseconds.
    pub part: f64,
}

#[derive(Clone, Copy, Debug)]
struct Processor {
    package: usize,
    sibling: Option<usize>,
    task: Option<Task>,
    /// Time of the last settlement.
    since: u64,
    /// `parts` of the package at that time.
    parts: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Core {
    /// Start of the idle time of both threads.
    idle_since: u64,
    /// Time until which it holds the licence for wide vector instructions.
    licensed_until: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Package {
    ghz: f64,
    busy: usize,
    /// Time for which the following fields are valid.
    at: u64,
    /// ∫ dt / (busy processors), over the time in which there are any, in nanoseconds.
    parts: f64,
    /// Time in which any processor was busy, in nanoseconds.
    active: u64,
    /// Energy of execution since it was last taken, in joules.
    executed: JoulesByDomain,
    /// Cycles, and the nanoseconds they took, since they were last taken.
    cycles: (f64, u64),
}

/// The processors and packages of a machine.
#[derive(Debug)]
pub struct Hardware {
    machine: Machine,
    processors: Vec<Processor>,
    cores: Vec<Core>,
    packages: Vec<Package>,
}

impl Hardware {
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
        let cores = vec![Core::default(); machine.packages * machine.cores];
        Self { machine, processors, cores, packages }
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The other thread of the same core.
    pub fn sibling(&self, cpu: usize) -> Option<usize> {
        self.processors[cpu].sibling
    }

    pub fn is_busy(&self, cpu: usize) -> bool {
        self.processors[cpu].task.is_some()
    }

    /// Whether both threads of the core are idle.
    pub fn is_core_idle(&self, cpu: usize) -> bool {
        !self.is_busy(cpu) && self.sibling(cpu).is_none_or(|sibling| !self.is_busy(sibling))
    }

    /// What a processor has done since it was last settled; `None` if nothing.
    pub fn settle(&mut self, cpu: usize, now: u64) -> Option<Passed> {
        let processor = self.processors[cpu];
        let task = processor.task?;
        let nanoseconds = now - processor.since;
        if nanoseconds == 0 {
            return None;
        }
        let sibling = processor.sibling.and_then(|sibling| self.processors[sibling].task);
        let licence = self.licence(cpu, processor.since, task.wide || sibling.is_some_and(|sibling| sibling.wide), now);
        let package = &mut self.packages[processor.package];
        package.advance(now);
        let execution = self.machine.execute(&task, package.ghz * licence, sibling.is_some(), nanoseconds as f64);
        package.cycles.0 += execution.cycles;
        package.cycles.1 += nanoseconds;
        package.executed += JoulesByDomain { package: execution.package, dram: execution.dram };
        let part = package.parts - processor.parts;
        self.processors[cpu].since = now;
        self.processors[cpu].parts = package.parts;
        Some(Passed { package: processor.package, nanoseconds, execution, part })
    }

    /// Frequency of a core relative to that of its package: lower while it holds a licence.
    fn licence(&mut self, cpu: usize, since: u64, wide: bool, now: u64) -> f64 {
        let Some(licences) = self.machine.laws.licences else { return 1.0 };
        let core = cpu % self.cores.len();
        let is_licensed = wide || since < self.cores[core].licensed_until;
        if wide {
            self.cores[core].licensed_until = now + licences.kept.as_nanos() as u64;
        }
        if is_licensed { licences.frequency } else { 1.0 }
    }

    /// An idle processor starts to execute. Its sibling, which slows down, must be settled. Returns what it costs to wake
    /// the core.
    pub fn occupy(&mut self, cpu: usize, now: u64, task: Task) -> Option<Passed> {
        let woken = self.wake(cpu, now);
        let processor = &mut self.processors[cpu];
        let package = &mut self.packages[processor.package];
        package.advance(now);
        package.busy += 1;
        (processor.task, processor.since, processor.parts) = (Some(task), now, package.parts);
        woken
    }

    fn wake(&mut self, cpu: usize, now: u64) -> Option<Passed> {
        let sleep = self.machine.laws.sleep.filter(|_| self.is_core_idle(cpu))?;
        let idle = now - self.cores[cpu % self.cores.len()].idle_since;
        let execution = Execution { package: sleep.joules(Duration::from_nanos(idle)), ..Execution::default() };
        let package = self.processors[cpu].package;
        self.packages[package].executed.package += execution.package;
        Some(Passed { package, nanoseconds: 0, execution, part: 0.0 })
    }

    /// A busy processor, which must be settled, continues with another task.
    pub fn change(&mut self, cpu: usize, task: Task) {
        self.processors[cpu].task = Some(task);
    }

    /// A busy processor becomes idle. It and its sibling must be settled.
    pub fn release(&mut self, cpu: usize, now: u64) {
        let processor = &mut self.processors[cpu];
        let package = &mut self.packages[processor.package];
        package.advance(now);
        package.busy -= 1;
        processor.task = None;
        if self.is_core_idle(cpu) {
            let cores = self.cores.len();
            self.cores[cpu % cores].idle_since = now;
        }
    }

    /// Sets the frequencies by the number of busy cores, with `others` beside those of this machine. All processors
    /// must be settled.
    pub fn choose_frequencies(&mut self, others: usize) {
        for package in 0..self.machine.packages {
            let busy = self.busy_cores(package);
            self.packages[package].ghz = self.machine.frequency_ghz(busy + others);
        }
    }

    /// Number of cores of a package of which any thread is busy.
    pub fn busy_cores(&self, package: usize) -> usize {
        let cores = self.machine.cores;
        (package * cores..(package + 1) * cores).filter(|&cpu| !self.is_core_idle(cpu)).count()
    }

    /// The frequency of a package.
    pub fn frequency_ghz(&self, package: usize) -> f64 {
        self.packages[package].ghz
    }

    /// Takes the cycles of all work on a package, and the nanoseconds that they took.
    pub fn take_cycles(&mut self, package: usize) -> (f64, u64) {
        std::mem::take(&mut self.packages[package].cycles)
    }

    /// Takes the energy of execution of a package. All processors must be settled.
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
