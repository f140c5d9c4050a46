//! What packages use, and how it reaches their registers.

use super::state::Simulation;
use crate::truth::JoulesByDomain;

impl Simulation {
    /// Adds the energy since the last call to the registers. All processors must be settled.
    pub(super) fn flush(&mut self) {
        let passed = self.now - self.flushed;
        let seconds = passed as f64 * 1e-9;
        self.flushed = self.now;
        if passed == 0 {
            return;
        }
        for package in 0..self.accounts.packages() {
            let presence = self.presence[package];
            let mut idle = presence.idle * seconds;
            if package == 0 {
                idle.package += self.extra_watts * seconds;
            }
            let active = self.hardware.active(package, self.now);
            let activation = presence.activation * ((active - self.active[package]) as f64 * 1e-9);
            let inactive = passed - (active - self.active[package]).min(passed);
            self.active[package] = active;
            let others = self.used_by_neighbours(package, passed, inactive);
            let mut used = self.hardware.take_executed(package);
            used += others;
            used += activation;
            idle.package += self.advance_climate(package, seconds, used.package / seconds);
            used += idle;
            self.accounts.charge_package(package, idle, activation, others);
            self.board.with(|board| {
                let registers = &mut board.registers_mut()[2 * package..];
                let carries = &mut self.carries[2 * package..];
                for ((register, carry), joules) in registers.iter_mut().zip(carries).zip([used.package, used.dram]) {
                    let exact = joules * 1e9 + *carry;
                    register.add(exact as u64);
                    *carry = exact.fract();
                }
            });
        }
    }

    /// What other virtual machines used on a package, with activation for the time in which this one was idle.
    fn used_by_neighbours(&self, package: usize, passed: u64, inactive: u64) -> JoulesByDomain {
        let Some(neighbours) = self.neighbours.as_ref().filter(|neighbours| neighbours.busy_cores() > 0) else {
            return JoulesByDomain::default();
        };
        let ghz = self.hardware.frequency_ghz(package);
        let execution = neighbours.execute(self.hardware.machine(), ghz, passed as f64);
        let mut used = self.presence[package].activation * (inactive as f64 * 1e-9);
        used += JoulesByDomain { package: execution.package, dram: execution.dram };
        used
    }

    /// Heat and uncore follow the load. Returns the leakage that heat has added, in joules.
    fn advance_climate(&mut self, package: usize, seconds: f64, watts: f64) -> f64 {
        let machine = self.hardware.machine();
        let busy = self.hardware.busy_cores(package) as f64 / machine.cores as f64;
        let climate = &mut self.climates[package];
        let leaked = climate.advance(&machine.laws, seconds, busy, watts);
        self.presence[package].activation.package = machine.activation_watts * climate.activation(&machine.laws);
        leaked
    }
}
