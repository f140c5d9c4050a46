//! Machines like another one, so that nothing is fitted to one set of figures.

use super::Machine;
use crate::laws::{Laws, Leakage, Sleep, Uncore};
use crate::neighbours::Neighbours;
use crate::random::Random;

impl Machine {
    /// A machine of the same shape whose parameters are drawn around those of this one. Equal seeds give equal machines.
    ///
    /// Energies and powers vary by about a fifth, as they do between processors of one family, frequencies by a few
    /// percent. The spreads are invented.
    #[must_use]
    pub fn drawn(&self, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6d61_6368_696e_6573);
        let mut vary = |value: f64, spread: f64| value * (spread * random.normal().clamp(-2.0, 2.0)).exp();
        let all_cores = self.turbo_ghz.last().copied().unwrap_or(self.nominal_ghz);
        let (scale, steepness) = (vary(1.0, 0.02), vary(1.0, 0.2));
        let turbo = self.turbo_ghz.iter().map(|ghz| scale * (all_cores + steepness * (ghz - all_cores)));
        Self {
            turbo_ghz: turbo.collect(),
            voltage_slope: vary(self.voltage_slope, 0.15),
            idle_watts: vary(self.idle_watts, 0.2),
            activation_watts: vary(self.activation_watts, 0.25),
            dram_activation_watts: vary(self.dram_activation_watts, 0.25),
            dram_idle_watts: vary(self.dram_idle_watts, 0.2),
            instruction_nanojoules: vary(self.instruction_nanojoules, 0.2),
            cycle_nanojoules: vary(self.cycle_nanojoules, 0.2),
            miss_nanojoules: vary(self.miss_nanojoules, 0.3),
            dram_miss_nanojoules: vary(self.dram_miss_nanojoules, 0.3),
            smt_speed: vary(self.smt_speed, 0.04).min(1.0),
            neighbours: self.neighbours.clone().map(|others| Neighbours {
                utilisation: vary(others.utilisation, 0.3).min(1.0),
                stretch_seconds: vary(others.stretch_seconds, 0.5),
                ..others
            }),
            laws: Laws {
                leakage: self.laws.leakage.map(|leakage| Leakage {
                    watts: vary(leakage.watts, 0.3),
                    per_kelvin: vary(leakage.per_kelvin, 0.15),
                    kelvin_per_watt: vary(leakage.kelvin_per_watt, 0.2),
                    seconds: vary(leakage.seconds, 0.2),
                }),
                sleep: self.laws.sleep.map(|sleep| Sleep { shallow_watts: vary(sleep.shallow_watts, 0.3), ..sleep }),
                uncore: self.laws.uncore.map(|uncore| Uncore {
                    part: vary(uncore.part, 0.2).min(1.0),
                    full_at: vary(uncore.full_at, 0.2),
                    ..uncore
                }),
                ..self.laws.clone()
            },
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Task;

    #[test]
    fn seeds_draw_different_machines_of_the_same_shape() {
        for machine in [Machine::server(), Machine::laptop(), Machine::guest_of_server()] {
            assert_eq!(machine.drawn(1), machine.drawn(1));
            let busy = |machine: &Machine| machine.execute(&Task::new(1.5, 0.5), machine.frequency_ghz(1), false, 1e9);
            let watts: Vec<f64> = (1..=20).map(|seed| busy(&machine.drawn(seed)).package).collect();
            let middle = busy(&machine).package;
            assert!(watts.iter().all(|watts| (0.5..2.0).contains(&(watts / middle))), "{watts:?} {middle}");
            assert!(watts.windows(2).all(|pair| pair[0] != pair[1]));
            assert_eq!(machine.drawn(1).topology(), machine.topology());
        }
    }
}
