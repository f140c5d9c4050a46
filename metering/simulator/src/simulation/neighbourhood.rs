//! Other virtual machines at work.

use crate::machine::{Execution, Machine};
use crate::neighbours::Neighbours;
use crate::random::Random;

/// How busy they are, and for how long.
#[derive(Clone, Debug)]
pub struct Neighbourhood {
    load: Neighbours,
    busy_cores: f64,
    until: u64,
}

impl Neighbourhood {
    pub fn new(load: Neighbours) -> Self {
        Self { load, busy_cores: 0.0, until: 0 }
    }

    /// Advances to `now`, in nanoseconds.
    pub fn advance(&mut self, now: u64, random: &mut Random) {
        if now < self.until {
            return;
        }
        // Between nothing and twice the mean, or all that there is.
        let busy = random.between(0.0, 2.0) * self.load.utilisation * self.load.cores as f64;
        self.busy_cores = busy.min(self.load.cores as f64);
        self.until = now + (self.load.stretch_seconds * random.exponential() * 1e9) as u64;
    }

    /// Cores that count when the package chooses its frequency.
    pub fn busy_cores(&self) -> usize {
        self.busy_cores.ceil() as usize
    }

    /// What they use in `nanoseconds`. Each busy core runs one thread.
    pub fn execute(&self, machine: &Machine, ghz: f64, nanoseconds: f64) -> Execution {
        machine.execute(&self.load.task, ghz, false, nanoseconds * self.busy_cores)
    }
}
