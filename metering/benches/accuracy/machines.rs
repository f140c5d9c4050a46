//! The machines that can be watched, by the names that `--machine` takes.

use nebula_simulator::laws::{Leakage, VoltageCurve};
use nebula_simulator::{HostClock, Laws, Machine, Recorded, Settings};

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
    /// Fitted to recordings of servers.
    I3,
    M5zn,
    Z1d,
}

/// Laws of the simulator that the meter does not contain, by the names that `--laws` takes.
pub const LAWS: [(&str, usize); 5] = [("voltage", 0), ("leakage", 1), ("licences", 2), ("sleep", 3), ("uncore", 4)];

/// How the machines differ from those of these names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// They follow these of [`LAWS`].
    pub laws: [bool; LAWS.len()],
    /// Each seed has a machine of its own, drawn around the named one.
    pub drawn: bool,
    /// The CPU time of others comes in ticks of 10 ms, as from `/proc/stat`.
    pub ticks: bool,
    /// Counters are read up to 5 ms after the clocks, as on a machine that keeps the reader waiting.
    pub late: bool,
}

impl Changes {
    /// With power that rises while the machine warms up.
    pub fn leaking(mut self) -> Self {
        self.laws[1] = true;
        self
    }

    /// With clocks that are as bad as they may be.
    pub fn blurred(self) -> Self {
        Self { ticks: true, late: true, ..self }
    }
}

impl Host {
    pub const ALL: [(&'static str, Self); 8] = [
        ("server", Self::Server),
        ("two-packages", Self::TwoPackages),
        ("desktop", Self::Desktop),
        ("laptop", Self::Laptop),
        ("cloud", Self::Cloud),
        ("i3", Self::I3),
        ("m5zn", Self::M5zn),
        ("z1d", Self::Z1d),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, host)| *host == self).map_or("", |(name, _)| name)
    }

    /// Its name, with what was changed.
    pub fn title(self, changes: Changes) -> String {
        let names = LAWS.iter().filter(|(_, law)| changes.laws[*law]).map(|(name, _)| *name);
        let laws = if changes.laws == [true; LAWS.len()] { vec!["all laws"] } else { names.collect() };
        let others = [(changes.drawn, "drawn"), (changes.ticks, "ticks"), (changes.late, "late")];
        let others = others.into_iter().filter(|(is_so, _)| *is_so).map(|(_, name)| name);
        [self.name()].into_iter().chain(laws).chain(others).collect::<Vec<_>>().join(", ")
    }

    /// Whether hardware events are counted.
    pub fn has_pmu(self) -> bool {
        self != Self::Cloud
    }

    fn machine(self) -> Machine {
        match self {
            Self::Server => Machine::server(),
            Self::TwoPackages => Machine::server_of_two_packages(),
            Self::Desktop => Machine::desktop(),
            Self::Laptop => Machine::laptop(),
            Self::Cloud => Machine::guest_of_server(),
            Self::I3 => Recorded::i3().machine,
            Self::M5zn => Recorded::m5zn().machine,
            Self::Z1d => Recorded::z1d().machine,
        }
    }

    fn laws(self, machine: &Machine, chosen: [bool; LAWS.len()]) -> Laws {
        let all = match self {
            Self::Desktop => Laws::all(VoltageCurve::ryzen_1700x(machine.nominal_ghz), Leakage::desktop()),
            Self::Laptop => Laws::all(VoltageCurve::ryzen_mobile(machine.frequency_ghz(1)), Leakage::laptop()),
            _ => Laws::all(VoltageCurve::epyc_7551(machine.nominal_ghz), Leakage::server()),
        };
        let [voltage, leakage, licences, sleep, uncore] = chosen;
        Laws {
            voltage: all.voltage.filter(|_| voltage),
            leakage: all.leakage.filter(|_| leakage),
            licences: all.licences.filter(|_| licences),
            sleep: all.sleep.filter(|_| sleep),
            uncore: all.uncore.filter(|_| uncore),
        }
    }

    /// A simulation of the machine, on which nothing runs yet.
    pub fn settings(self, changes: Changes, seed: u64) -> Settings {
        let mut machine = self.machine();
        machine.laws = self.laws(&machine, changes.laws);
        if changes.drawn {
            machine = machine.drawn(seed);
        }
        let host_clock = if changes.ticks { HostClock::Ticks } else { HostClock::Exact };
        Settings { pmu: self.has_pmu(), host_clock, ..Settings::new(seed, machine) }
    }
}
