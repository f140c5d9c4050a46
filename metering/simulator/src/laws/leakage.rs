//! Leakage and heat: the hotter a package is, the more it leaks.

/// Leakage of a package that grows exponentially with its temperature, which follows its power slowly.
///
/// Source of the law: De Vogeleer, Memmi, Jouvelot and Coelho, "Modeling the Temperature Bias of Power Consumption for
/// Nanometer-Scale CPUs in Application Processors", arXiv:1404.3381: power grows exponentially between 20 and 85 °C.
/// Source of the thermal resistances: temperature over power in `tests/fixtures/turbostress` of `nebula-metering`,
/// 0.11 to 0.2 K/W for each package of a server. The other figures are invented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leakage {
    /// Leakage at the temperature of the idle package, which is part of its idle power.
    pub watts: f64,
    /// Relative growth of leakage by a degree.
    pub per_kelvin: f64,
    /// Degrees by which a watt warms the package, once it has settled.
    pub kelvin_per_watt: f64,
    /// Time in which the package warms by 63 % of the difference.
    pub seconds: f64,
}

impl Leakage {
    /// A package of a server.
    #[must_use]
    pub fn server() -> Self {
        Self { watts: 5.0, per_kelvin: 0.015, kelvin_per_watt: 0.15, seconds: 15.0 }
    }

    /// A desktop's package under a smaller cooler.
    #[must_use]
    pub fn desktop() -> Self {
        Self { watts: 1.5, per_kelvin: 0.015, kelvin_per_watt: 0.4, seconds: 20.0 }
    }

    /// A laptop's package, which warms most.
    #[must_use]
    pub fn laptop() -> Self {
        Self { watts: 0.5, per_kelvin: 0.015, kelvin_per_watt: 1.5, seconds: 30.0 }
    }

    /// How far a package is above its idle temperature after `seconds` at `watts` above idle power.
    #[must_use]
    pub fn warm(&self, kelvin: f64, watts: f64, seconds: f64) -> f64 {
        let settled = watts * self.kelvin_per_watt;
        settled + (kelvin - settled) * (-seconds / self.seconds).exp()
    }

    /// Leakage beyond that of the idle package, in watts.
    #[must_use]
    pub fn excess(&self, kelvin: f64) -> f64 {
        self.watts * ((self.per_kelvin * kelvin).exp() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_warms_slowly_and_leaks_more() {
        let leakage = Leakage::server();
        assert_eq!(leakage.excess(0.0), 0.0);
        let soon = leakage.warm(0.0, 60.0, 1.0);
        let settled = (0..200).fold(0.0, |kelvin, _| leakage.warm(kelvin, 60.0, 1.0));
        assert!(soon < 1.0 && (settled - 9.0).abs() < 0.01, "{soon} {settled}");
        // 9 K at 1.5 % each.
        assert!((0.6..0.8).contains(&leakage.excess(settled)));
    }
}
