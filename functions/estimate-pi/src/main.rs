//! Estimates π: of n random points in the unit square, the share that falls into the quarter
//! circle is π/4. The environment variable `seed` picks another sequence of points.

use std::process::ExitCode;

use random::Generator;

/// The most points in one call: about a second of work.
const POINTS_MAX: u32 = 100_000_000;

const MILLION: u64 = 1_000_000;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let points = call::whole("a whole number of points", &input, 1..=POINTS_MAX)?;
        let estimate = estimate(points, &mut Generator::from_environment()?);
        let (whole, rest) = (estimate / MILLION, estimate % MILLION);
        Ok(format!("{whole}.{rest:06}"))
    }))
}

/// π in millionths, rounded down. Whole numbers, because printing a floating point number would
/// double the size of this function.
fn estimate(points: u32, random: &mut Generator) -> u64 {
    let mut inside: u64 = 0;
    for _ in 0..points {
        let (x, y) = (random.unit(), random.unit());
        inside += u64::from(x * x + y * y < 1.0);
    }
    4 * MILLION * inside / u64::from(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn estimate_is_within_four_standard_errors() {
        for (seed, points) in [(1, 10_000), (2, 100_000), (3, 1_000_000)] {
            // A point is inside with probability π/4, and each counts 4/n.
            let error = 4.0 * (PI / 4.0 * (1.0 - PI / 4.0) / f64::from(points)).sqrt();
            let millionths = estimate(points, &mut Generator::from_seed(seed));
            let estimate = f64::from(u32::try_from(millionths).unwrap()) / 1e6;
            assert!((estimate - PI).abs() < 4.0 * error, "{points}: {estimate}");
        }
    }

    #[test]
    fn one_point_is_enough() {
        let estimate = estimate(1, &mut Generator::from_seed(1));
        assert!([0, 4 * MILLION].contains(&estimate));
    }
}
