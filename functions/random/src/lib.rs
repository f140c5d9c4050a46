//! Random numbers that are the same on every machine and in every call: a simulation with the
//! same seed gives the same answer, so that two calls can be compared.

use std::env;

/// The seed where the environment gives none.
const SEED_DEFAULT: u64 = 42;

/// `SplitMix64`: one word of state, no warm-up, every 64-bit value once in its period of 2⁶⁴.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Generator(u64);

impl Generator {
    /// A generator whose whole sequence follows from `seed`.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator with the seed that the environment variable `seed` gives, or the default.
    pub fn from_environment() -> Result<Self, String> {
        let Some(seed) = env::var_os("seed") else {
            return Ok(Self::from_seed(SEED_DEFAULT));
        };
        seed.to_str().and_then(|text| text.trim().parse().ok()).map(Self::from_seed).ok_or_else(|| {
            let max = u64::MAX;
            format!("expected environment variable `seed` to be a whole number from 0 to {max}")
        })
    }

    /// The next 64 random bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, so an `Iterator` would only add an `Option` to unwrap"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that the reference implementation gives for this seed.
    /// Source: <https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64>
    #[test]
    fn sequence_is_that_of_the_reference() {
        let mut random = Generator::from_seed(1_234_567);
        let first: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn unit_stays_below_one_and_centres_on_a_half() {
        let mut random = Generator::from_seed(0);
        let mut sum = 0.0;
        for _ in 0..100_000 {
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
            sum += unit;
        }
        assert!((sum / 100_000.0 - 0.5).abs() < 0.005, "{sum}");
    }
}
