//! Frequency of the uncore, which follows the load and takes activation power with it.

/// Frequency of cache and memory controller.
///
/// Source: Schöne, Ilsche, Bielert, Gocht and Hackenberg, "Energy Efficiency Features of the Intel Skylake-SP Processor and
/// Their Impact on Performance", HPCS 2019, arXiv:1905.12468: the uncore chooses its frequency by load, with a latency of
/// about 10 ms. Its range and what makes it rise are invented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncore {
    /// Lowest frequency, relative to the highest.
    pub lowest: f64,
    /// Part of activation power that follows the frequency.
    pub part: f64,
    /// Busy cores, as a part of all, at which the frequency is highest.
    pub full_at: f64,
    /// Time in which it follows by 63 %.
    pub seconds: f64,
}

impl Uncore {
    /// As on Skylake servers.
    #[must_use]
    pub fn skylake_server() -> Self {
        Self { lowest: 0.5, part: 0.6, full_at: 0.75, seconds: 0.01 }
    }

    /// The frequency after `seconds` with this part of all cores busy.
    #[must_use]
    pub fn follow(&self, frequency: f64, busy: f64, seconds: f64) -> f64 {
        let wanted = self.lowest + (1.0 - self.lowest) * (busy / self.full_at).min(1.0);
        wanted + (frequency - wanted) * (-seconds / self.seconds).exp()
    }

    /// Activation power, relative to that at the highest frequency. Voltage follows frequency halfway, so power grows as
    /// the square.
    #[must_use]
    pub fn activation(&self, frequency: f64) -> f64 {
        1.0 - self.part + self.part * frequency * frequency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uncore_follows_within_tens_of_milliseconds() {
        let uncore = Uncore::skylake_server();
        let soon = uncore.follow(0.5, 1.0, 0.002);
        let later = uncore.follow(0.5, 1.0, 0.05);
        assert!(soon < 0.6 && later > 0.99, "{soon} {later}");
        assert!((uncore.activation(1.0) - 1.0).abs() < 1e-12 && uncore.activation(0.5) < 0.6);
    }
}
