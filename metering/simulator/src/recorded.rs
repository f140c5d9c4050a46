//! Machines fitted to recordings of real servers.

use crate::machine::Machine;
use crate::task::Task;
use nebula_metering::Watts;

/// A server whose power was recorded, the machine fitted to it, and what runs in the recording.
///
/// The power of eleven servers by load and kind of stress is in `tests/fixtures/turbostress` of `nebula-metering`. Idle,
/// activation and instruction energy are fitted by least squares to power by load; a cycle costs a quarter of an
/// instruction, a miss 15 nJ in the package and 25 nJ in the memory. Instructions per cycle of the ordinary task are
/// assumed, those of the others and all misses are fitted to the power of package and memory at full load. Cores and
/// frequencies are those of the processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Name of the recording.
    pub recording: &'static str,
    /// The fitted machine.
    pub machine: Machine,
    /// `CPUStress`: all methods of `stress-ng --cpu`.
    pub ordinary: Task,
    /// `ipsec`: multi-buffer encryption, with vector instructions.
    pub vectors: Task,
    /// `VMStress`: writing and reading memory.
    pub memory: Task,
    /// `maximize`: several stressors at their maximum.
    pub everything: Task,
}

impl Recorded {
    /// Two Xeon E5-2686 v4 (Broadwell) of 18 cores.
    #[must_use]
    pub fn i3() -> Self {
        let machine = Machine {
            cores: 18,
            nominal_ghz: 2.3,
            turbo_ghz: falling(18, 3.0, 2.7),
            idle_watts: 17.49,
            activation_watts: 9.767,
            dram_idle_watts: 5.675,
            dram_activation_watts: 2.255,
            instruction_nanojoules: 1.0414,
            cycle_nanojoules: 0.2604,
            ..Self::server()
        };
        Self {
            recording: "i3_April21_Oregon",
            machine,
            ordinary: Task::new(1.2, 1.686),
            vectors: Task::new(1.375, 1.4).wide(),
            memory: Task::new(0.997, 11.94),
            everything: Task::new(1.333, 10.2),
        }
    }

    /// Two Xeon Platinum 8252C (Cascade Lake) of 12 cores.
    #[must_use]
    pub fn m5zn() -> Self {
        let machine = Machine {
            cores: 12,
            nominal_ghz: 3.8,
            turbo_ghz: falling(12, 4.5, 4.3),
            idle_watts: 28.69,
            activation_watts: 4.605,
            dram_idle_watts: 23.835,
            dram_activation_watts: 10.489,
            instruction_nanojoules: 2.162,
            cycle_nanojoules: 0.5405,
            ..Self::server()
        };
        Self {
            recording: "m5zn_March21_NorthVirginia",
            machine,
            ordinary: Task::new(1.2, 5.604),
            vectors: Task::new(0.943, 6.44).wide(),
            memory: Task::new(0.665, 54.22),
            everything: Task::new(1.093, 26.19),
        }
    }

    /// Two Xeon Platinum 8151 (Skylake) of 12 cores.
    #[must_use]
    pub fn z1d() -> Self {
        let machine = Machine {
            cores: 12,
            nominal_ghz: 3.4,
            turbo_ghz: falling(12, 4.0, 4.0),
            idle_watts: 23.785,
            activation_watts: 15.971,
            dram_idle_watts: 24.77,
            dram_activation_watts: 20.036,
            instruction_nanojoules: 1.9718,
            cycle_nanojoules: 0.4929,
            ..Self::server()
        };
        Self {
            recording: "z1d_March21_NorthVirginia",
            machine,
            ordinary: Task::new(1.2, 5.791),
            vectors: Task::new(1.047, 6.09).wide(),
            memory: Task::new(0.459, 122.1),
            everything: Task::new(0.947, 49.89),
        }
    }

    /// What all three have in common.
    fn server() -> Machine {
        Machine { packages: 2, package_watts_max: Watts(500.0), dram_watts_max: Watts(300.0), ..Machine::server() }
    }
}

/// Frequencies that fall evenly from one busy core to all.
fn falling(cores: usize, one_ghz: f64, all_ghz: f64) -> Vec<f64> {
    (0..cores).map(|core| one_ghz + (all_ghz - one_ghz) * core as f64 / (cores - 1) as f64).collect()
}
