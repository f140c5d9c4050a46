//! Repeatable random numbers: a seed gives the same numbers on every machine and with every version.

/// SplitMix64. Statistically good enough for a simulation, and short.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the constants are those
/// of `java.util.SplittableRandom`.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent sequence.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `limit`; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Lemire's multiplication; its bias is below 2^-32 for the small limits in use here.
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// Evenly from 0 (in) to 1 (out).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponentially distributed, with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normally distributed, with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        // Box-Muller. The second value is not worth keeping.
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let first = [random.bits(), random.bits(), random.bits()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(3);
        let mut mean = |mut draw: Box<dyn FnMut(&mut Random) -> f64>| {
            (0..100_000).map(|_| draw(&mut random)).sum::<f64>() / 100_000.0
        };
        assert!((mean(Box::new(Random::unit)) - 0.5).abs() < 0.01);
        assert!((mean(Box::new(Random::exponential)) - 1.0).abs() < 0.02);
        assert!(mean(Box::new(Random::normal)).abs() < 0.02);
        assert!((mean(Box::new(|random| random.normal().powi(2))) - 1.0).abs() < 0.03);
        assert!((mean(Box::new(|random| random.below(10) as f64)) - 4.5).abs() < 0.05);
        assert!((mean(Box::new(|random| f64::from(u8::from(random.happens(0.2))))) - 0.2).abs() < 0.01);
    }
}
