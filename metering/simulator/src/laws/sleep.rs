//! Sleep of cores: short idle times are spent awake, and longer ones cost energy at their end.

use std::time::Duration;

/// What an idle core draws.
///
/// A core that is idle for a short time waits in C1, for longer it sleeps in C6. Entering and leaving C6 costs as much as
/// the time in C1 after which it pays: its target residency. So an idle time costs the power of C1, at most for that
/// residency, and whoever wakes the core causes it.
///
/// Source: Linux `drivers/idle/intel_idle.c`, `skx_cstates`: a target residency of 600 µs. The power is invented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sleep {
    /// Power of a core in C1 beyond that in C6.
    pub shallow_watts: f64,
    /// Idle time after which C6 pays.
    pub residency: Duration,
}

impl Sleep {
    /// As on Skylake servers.
    #[must_use]
    pub fn skylake_server() -> Self {
        Self { shallow_watts: 0.5, residency: Duration::from_micros(600) }
    }

    /// Energy of an idle time that ends now, in joules.
    #[must_use]
    pub fn joules(&self, idle: Duration) -> f64 {
        self.shallow_watts * idle.min(self.residency).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sleep_costs_no_more_than_its_residency() {
        let sleep = Sleep::skylake_server();
        assert!((sleep.joules(Duration::from_micros(100)) - 50e-6).abs() < 1e-12);
        assert!((sleep.joules(Duration::from_secs(10)) - 300e-6).abs() < 1e-12);
    }
}
