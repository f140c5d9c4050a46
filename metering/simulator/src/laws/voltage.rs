//! Voltage by frequency, as processors state it.

/// A curve of voltage by frequency, relative to a point of the curve.
///
/// The points are what the performance states of processors ask for (AMD's registers `0xC0010064` and following), as
/// owners read and published them. Between them, and beyond, the curve continues in straight lines.
#[derive(Clone, Debug, PartialEq)]
pub struct VoltageCurve {
    /// Frequency in GHz and voltage in volts, ascending.
    points: &'static [(f64, f64)],
    /// Frequency at which the curve is 1.
    reference_ghz: f64,
    /// Multiplies frequencies of the machine to give those of the curve.
    scale: f64,
}

/// AMD EPYC 7551. Source: the README of github.com/jiegec/ZenStates-Linux.
const EPYC_7551: &[(f64, f64)] = &[(1.2, 0.893_75), (1.6, 0.931_25), (2.0, 0.962_5)];

/// AMD Ryzen 7 1700X at stock settings, listed with github.com/r4m0n/ZenStates-Linux.
const RYZEN_1700X: &[(f64, f64)] = &[(2.2, 0.9), (3.0, 1.275), (3.4, 1.35)];

/// An AMD Ryzen mobile processor of 2.1 GHz at stock settings, listed with the same tool.
const RYZEN_MOBILE: &[(f64, f64)] = &[(1.4, 0.912_5), (1.7, 0.95), (2.1, 1.218_75)];

impl VoltageCurve {
    /// The curve of an AMD EPYC 7551, for a machine of this nominal frequency.
    #[must_use]
    pub fn epyc_7551(nominal_ghz: f64) -> Self {
        Self::scaled(EPYC_7551, 2.0, nominal_ghz)
    }

    /// The curve of an AMD Ryzen 7 1700X, for a machine of this nominal frequency.
    #[must_use]
    pub fn ryzen_1700x(nominal_ghz: f64) -> Self {
        Self::scaled(RYZEN_1700X, 3.0, nominal_ghz)
    }

    /// The curve of an AMD Ryzen mobile processor, for a machine that reaches `max_ghz`.
    #[must_use]
    pub fn ryzen_mobile(max_ghz: f64) -> Self {
        Self::scaled(RYZEN_MOBILE, 2.1, max_ghz)
    }

    fn scaled(points: &'static [(f64, f64)], reference_ghz: f64, machine_ghz: f64) -> Self {
        Self { points, reference_ghz, scale: reference_ghz / machine_ghz }
    }

    /// Voltage at a frequency of the machine, relative to that at the reference.
    #[must_use]
    pub fn at(&self, ghz: f64) -> f64 {
        self.volts(ghz * self.scale) / self.volts(self.reference_ghz)
    }

    fn volts(&self, ghz: f64) -> f64 {
        let segments = self.points.windows(2);
        let segment = segments.clone().find(|pair| ghz <= pair[1].0).or_else(|| segments.last());
        match segment {
            Some(&[(low_ghz, low), (high_ghz, high)]) => low + (high - low) * (ghz - low_ghz) / (high_ghz - low_ghz),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_passes_through_its_points_and_continues_beyond() {
        let curve = VoltageCurve::ryzen_1700x(3.0);
        for (ghz, volts) in RYZEN_1700X {
            assert!((curve.at(*ghz) - volts / 1.275).abs() < 1e-9);
        }
        assert!((curve.at(3.8) - 1.425 / 1.275).abs() < 1e-9);
        // A machine of another nominal frequency has the same curve, stretched.
        assert!((VoltageCurve::ryzen_1700x(1.5).at(1.1) - 0.9 / 1.275).abs() < 1e-9);
    }
}
