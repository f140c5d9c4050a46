//! The machines that can be watched, by the names that `--machine` takes.

use nebula_simulator::{Machine, Settings};

/// A machine, and what a meter on it can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Server,
    TwoPackages,
    Desktop,
    Laptop,
    /// A virtual machine with the two threads of one core and no PMU. Its counter is that of the whole package, where
    /// other virtual machines run unseen.
    Cloud,
}

impl Host {
    pub const ALL: [(&'static str, Self); 5] = [
        ("server", Self::Server),
        ("two-packages", Self::TwoPackages),
        ("desktop", Self::Desktop),
        ("laptop", Self::Laptop),
        ("cloud", Self::Cloud),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, host)| *host == self).map_or("", |(name, _)| name)
    }

    /// Whether hardware events are counted.
    pub fn has_pmu(self) -> bool {
        self != Self::Cloud
    }

    /// A simulation of the machine, on which nothing runs yet.
    pub fn settings(self, seed: u64) -> Settings {
        let machine = match self {
            Self::Server => Machine::server(),
            Self::TwoPackages => Machine::server_of_two_packages(),
            Self::Desktop => Machine::desktop(),
            Self::Laptop => Machine::laptop(),
            Self::Cloud => Machine::guest_of_server(),
        };
        Settings { pmu: self.has_pmu(), ..Settings::new(seed, machine) }
    }
}
