//! The physics: what execution costs on the simulated machine.
//!
//! A package always draws idle power, plus activation power while any of its processors is busy (clocks, cache and
//! memory controller leave their sleep states together). On top of that, a core spends energy on cycles, instructions
//! and misses:
//!
//! ```text
//! core energy = factor · [ V² · (cycles · e_cycle + instructions · e_instruction) + misses · e_miss ]
//! V           = 1 + slope · (f/f₀ − 1)
//! ```
//!
//! Switching energy grows with the square of the voltage. The voltage rises with the frequency, but less than
//! proportionally, since part of it is the threshold of the transistors. A cycle is spent by the core: two threads on a
//! core share the energy of its cycles. A miss is served outside the core, at a voltage that does not follow that of
//! the core. [`Laws`] tells what else can be simulated.
//!
//! All figures are invented. They were chosen so that a busy core draws about 5 W at the all-core frequency, a package
//! 10 to 100 W, and a memory access some ten nanojoules.

mod drawn;
mod named;

use crate::laws::Laws;
use crate::neighbours::Neighbours;
use crate::task::Task;
use nebula_metering::work::topology::Topology;
use nebula_metering::{Microjoules, Watts};

/// The unit of a register, in whole nanojoules, as the kernel states it.
///
/// Source: Linux `drivers/powercap/intel_rapl_common.c`, `rapl_check_unit_core`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnergyUnit {
    /// 2^-14 J, as on most parts.
    Power14,
    /// 2^-16 J, as for the memory of servers.
    Power16,
}

impl EnergyUnit {
    /// The unit in nanojoules.
    #[must_use]
    pub fn nanojoules(self) -> u64 {
        match self {
            Self::Power14 => 61_035,
            Self::Power16 => 15_258,
        }
    }

    /// The smallest step of a reading, rounded up.
    #[must_use]
    pub fn quantum(self) -> Microjoules {
        Microjoules(self.nanojoules().div_ceil(1000))
    }

    /// `max_energy_range_uj`: the reading at the highest value of 32 bits.
    #[must_use]
    pub fn range(self) -> Microjoules {
        Microjoules(u64::from(u32::MAX) * self.nanojoules() / 1000)
    }
}

/// A simulated machine. Energies are for the nominal frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// How many packages, at most [`nebula_metering::work::PACKAGES_MAX`].
    pub packages: usize,
    /// Cores of each package.
    pub cores: usize,
    /// Threads of each core: 1 or 2.
    pub smt: usize,
    /// Nominal frequency, at which reference cycles count.
    pub nominal_ghz: f64,
    /// Frequency of a package with one busy core, with two, and so on; the last holds for all further ones.
    pub turbo_ghz: Vec<f64>,
    /// How much the voltage rises with the frequency, both relative to nominal.
    pub voltage_slope: f64,
    /// Power that a package always draws.
    pub idle_watts: f64,
    /// Additional power of a package while any of its processors is busy.
    pub activation_watts: f64,
    /// Additional power of its memory in that time, as it leaves its self-refresh.
    pub dram_activation_watts: f64,
    /// Power that the memory of a package always draws.
    pub dram_idle_watts: f64,
    /// Energy of an instruction.
    pub instruction_nanojoules: f64,
    /// Energy of a cycle of a core.
    pub cycle_nanojoules: f64,
    /// Energy of a miss of the last-level cache, in the package.
    pub miss_nanojoules: f64,
    /// Energy of a miss in the memory.
    pub dram_miss_nanojoules: f64,
    /// Speed of a thread whose sibling is busy, relative to one alone.
    pub smt_speed: f64,
    /// Maximum power of a package.
    pub package_watts_max: Watts,
    /// Maximum power of the memory of a package.
    pub dram_watts_max: Watts,
    /// Unit of the packages' registers.
    pub package_unit: EnergyUnit,
    /// Unit of the memories' registers.
    pub dram_unit: EnergyUnit,
    /// Other virtual machines on the package of this one.
    pub neighbours: Option<Neighbours>,
    /// Laws beyond those described above.
    pub laws: Laws,
}

/// What a stretch of execution did and used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Execution {
    /// Instructions retired.
    pub instructions: f64,
    /// Cycles at the actual frequency.
    pub cycles: f64,
    /// Cycles at the nominal frequency.
    pub ref_cycles: f64,
    /// Misses of the last-level cache.
    pub misses: f64,
    /// Energy of the package, in joules.
    pub package: f64,
    /// Energy of its memory, in joules.
    pub dram: f64,
}

impl Machine {
    /// Number of logical processors.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.packages * self.cores * self.smt
    }

    /// The package of a processor. Processors are numbered as Linux mostly does: the first threads of all cores,
    /// package by package, then the second ones.
    #[must_use]
    pub fn package_of(&self, cpu: usize) -> usize {
        cpu % (self.packages * self.cores) / self.cores
    }

    /// The other thread of the same core.
    #[must_use]
    pub fn sibling_of(&self, cpu: usize) -> Option<usize> {
        (self.smt > 1).then(|| (cpu + self.packages * self.cores) % self.cpus())
    }

    /// Packages and cores of the machine.
    #[must_use]
    pub fn topology(&self) -> Topology {
        let number = |number: usize| u32::try_from(number).unwrap_or(0);
        let core = |cpu: usize| (number(self.package_of(cpu)), number(cpu % (self.packages * self.cores)));
        Topology::of_cores(&(0..self.cpus()).map(core).collect::<Vec<_>>())
    }

    /// Frequency of a package with this many busy cores.
    #[must_use]
    pub fn frequency_ghz(&self, busy_cores: usize) -> f64 {
        let index = busy_cores.clamp(1, self.turbo_ghz.len().max(1)) - 1;
        self.turbo_ghz.get(index).copied().unwrap_or(self.nominal_ghz)
    }

    /// Voltage at a frequency, relative to that at the reference.
    #[must_use]
    pub fn voltage(&self, ghz: f64) -> f64 {
        let line = || 1.0 + self.voltage_slope * (ghz / self.nominal_ghz - 1.0);
        self.laws.voltage.as_ref().map_or_else(line, |curve| curve.at(ghz))
    }

    /// The same machine with these laws.
    #[must_use]
    pub fn with_laws(self, laws: Laws) -> Self {
        Self { laws, ..self }
    }

    /// What a thread does and uses in `nanoseconds` at a frequency, alone on its core or beside a busy sibling.
    #[must_use]
    pub fn execute(&self, task: &Task, ghz: f64, beside_sibling: bool, nanoseconds: f64) -> Execution {
        let (speed, cycle_share) = if beside_sibling { (self.smt_speed, 0.5) } else { (1.0, 1.0) };
        let cycles = ghz * nanoseconds;
        let instructions = cycles * task.ipc * speed;
        let misses = instructions * task.misses_per_kilo_instruction / 1000.0;
        let voltage = self.voltage(ghz);
        let switching = cycles * cycle_share * self.cycle_nanojoules + instructions * self.instruction_nanojoules;
        let core = voltage * voltage * switching + misses * self.miss_nanojoules;
        Execution {
            instructions,
            cycles,
            ref_cycles: self.nominal_ghz * nanoseconds,
            misses,
            package: core * task.factor * 1e-9,
            dram: misses * self.dram_miss_nanojoules * 1e-9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: f64 = 1e9;

    #[test]
    fn a_busy_core_of_the_server_draws_about_five_watts_at_the_frequency_of_all_cores() {
        let server = Machine::server();
        let task = Task::new(1.5, 0.5);
        let all = server.execute(&task, server.frequency_ghz(8), false, SECOND);
        assert!((4.8..6.0).contains(&all.package), "{all:?}");
        let alone = server.execute(&task, server.frequency_ghz(1), false, SECOND);
        assert!(alone.package > 1.3 * all.package, "{alone:?}");
    }

    #[test]
    fn two_threads_of_a_core_do_more_than_one_and_cost_less_than_two() {
        let server = Machine::server();
        let (task, ghz) = (Task::new(1.5, 0.5), server.frequency_ghz(8));
        let alone = server.execute(&task, ghz, false, SECOND);
        let beside = server.execute(&task, ghz, true, SECOND);
        assert!((beside.instructions / alone.instructions - 0.62).abs() < 1e-9);
        assert!((1.0..1.3).contains(&(2.0 * beside.package / alone.package)), "{beside:?}");
        assert_eq!(beside.cycles, alone.cycles);
    }

    #[test]
    fn a_factor_costs_what_no_counter_sees() {
        let server = Machine::server();
        let plain = server.execute(&Task::new(1.0, 1.0), 3.0, false, SECOND);
        let dear = server.execute(&Task::new(1.0, 1.0).with_factor(2.0), 3.0, false, SECOND);
        assert_eq!(dear, Execution { package: 2.0 * plain.package, ..plain });
    }

    #[test]
    fn siblings_share_a_package() {
        for machine in [Machine::server(), Machine::server_of_two_packages(), Machine::laptop()] {
            let topology = machine.topology();
            assert_eq!(topology.cpus(), machine.cpus());
            for cpu in 0..machine.cpus() {
                let sibling = machine.sibling_of(cpu).unwrap();
                assert_ne!(sibling, cpu);
                assert_eq!(machine.sibling_of(sibling), Some(cpu));
                assert_eq!(topology.package_of(cpu as u32), topology.package_of(sibling as u32));
            }
        }
    }
}
