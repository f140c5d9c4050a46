//! The simulated machines. Their figures are invented, and of the size that such machines have.

use super::{EnergyUnit, Machine};
use crate::laws::Laws;
use crate::neighbours::Neighbours;
use crate::task::Task;
use nebula_metering::Watts;

impl Machine {
    /// A server with one package of eight cores with two threads each.
    #[must_use]
    pub fn server() -> Self {
        Self {
            packages: 1,
            cores: 8,
            smt: 2,
            nominal_ghz: 2.5,
            turbo_ghz: vec![3.5, 3.5, 3.4, 3.3, 3.2, 3.1, 3.0, 2.9],
            voltage_slope: 0.5,
            idle_watts: 12.0,
            activation_watts: 8.0,
            dram_activation_watts: 0.0,
            dram_idle_watts: 2.5,
            instruction_nanojoules: 0.55,
            cycle_nanojoules: 0.7,
            miss_nanojoules: 15.0,
            dram_miss_nanojoules: 25.0,
            smt_speed: 0.62,
            package_watts_max: Watts(250.0),
            dram_watts_max: Watts(60.0),
            package_unit: EnergyUnit::Power14,
            dram_unit: EnergyUnit::Power16,
            neighbours: None,
            laws: Laws::default(),
        }
    }

    /// The same server with two packages.
    #[must_use]
    pub fn server_of_two_packages() -> Self {
        Self { packages: 2, ..Self::server() }
    }

    /// A laptop with one package of four cores with two threads each.
    #[must_use]
    pub fn laptop() -> Self {
        Self {
            cores: 4,
            nominal_ghz: 1.8,
            turbo_ghz: vec![4.0, 3.8, 3.3, 3.0],
            voltage_slope: 0.6,
            idle_watts: 1.5,
            activation_watts: 2.5,
            dram_idle_watts: 0.4,
            instruction_nanojoules: 0.3,
            cycle_nanojoules: 0.4,
            dram_miss_nanojoules: 12.0,
            package_watts_max: Watts(120.0),
            dram_watts_max: Watts(30.0),
            ..Self::server()
        }
    }

    /// A desktop with one package of six cores with two threads each.
    #[must_use]
    pub fn desktop() -> Self {
        Self {
            cores: 6,
            nominal_ghz: 3.2,
            turbo_ghz: vec![4.6, 4.5, 4.4, 4.3, 4.3, 4.3],
            voltage_slope: 0.7,
            idle_watts: 4.0,
            activation_watts: 6.0,
            dram_idle_watts: 1.0,
            instruction_nanojoules: 0.5,
            cycle_nanojoules: 0.65,
            dram_miss_nanojoules: 18.0,
            package_watts_max: Watts(190.0),
            dram_watts_max: Watts(30.0),
            ..Self::server()
        }
    }

    /// A virtual machine with the two threads of one core of the server. Others have the remaining seven cores.
    #[must_use]
    pub fn guest_of_server() -> Self {
        let neighbours = Neighbours { cores: 7, utilisation: 0.4, stretch_seconds: 10.0, task: Task::new(1.1, 2.0) };
        Self { cores: 1, neighbours: Some(neighbours), ..Self::server() }
    }
}
