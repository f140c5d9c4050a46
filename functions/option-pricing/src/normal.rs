//! Random numbers of the standard normal distribution.

use random::Generator;

/// Marsaglia's polar method: a random point of the unit disc gives two independent numbers,
/// with no sine or cosine to bring along.
pub struct Normal {
    random: Generator,
    spare: Option<f64>,
}

impl Normal {
    pub const fn new(random: Generator) -> Self {
        Self { random, spare: None }
    }

    pub fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // A point is in the disc with probability π/4: that this goes on a hundred times
        // happens once in 10⁶⁶.
        loop {
            let x = 2.0 * self.random.unit() - 1.0;
            let y = 2.0 * self.random.unit() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_is_zero_and_variance_one() {
        let mut normal = Normal::new(Generator::from_seed(7));
        let draws: Vec<f64> = (0..200_000).map(|_| normal.draw()).collect();
        let mean = draws.iter().sum::<f64>() / 200_000.0;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / 200_000.0;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.015, "{variance}");
    }
}
