//! Watts per hardware thread, by microarchitecture, with their error.
//!
//! The figures are those of Cloud Carbon Footprint (Apache-2.0): the mean, over the published `SPECpower_ssj2008`
//! results of a microarchitecture, of the power of the server at the wall, at active idle and at full load, divided by
//! its hardware threads. They include the whole server with fans, conversion losses, disks and an ordinary amount of
//! memory. Nearly all of these servers have two threads per core, so a machine with hyper-threading disabled is
//! underestimated.
//!
//! Three rows were held against what RAPL tells on such processors, and scaled to their frequency. For the others the
//! published figures stand, with a wider error.
//!
//! Source: github.com/cloud-carbon-footprint/ccf-coefficients at b0032d92, `output/coefficients-aws-use.csv`, made from
//! `data/SPECpower-2026-03-09.csv`; where that makes one row of two things, or leaves one out, the two decimals in
//! `tests/test_power_averages.py` of the same commit. Not taken over: `EPYC 5th Gen`, whose 9.0 W a thread contradict
//! the 1.0 to 2.1 W of the results listed for its own processors (EPYC 9965, 9845, 9655), and `Graviton3` and
//! `Graviton4`, which repeat the row of an AMD processor. These and all others have the generic row.

use super::cpu::{Processor, Signature};

/// Power of one hardware thread, its share of the server included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Name of the microarchitecture; `None` for the generic row.
    pub microarchitecture: Option<&'static str>,
    /// Power when idle.
    pub idle_milliwatts: u32,
    /// Power at full load.
    pub full_milliwatts: u32,
    /// Half the width of the 95 % band around what power rises under load, as a fraction.
    pub relative_error: f64,
    /// Whether an ordinary amount of memory is included.
    pub includes_memory: bool,
}

/// Error of a row that was held against recordings, at the frequency of the processor.
///
/// `tests/turbostress.rs` prints all of them: RAPL told 0.55 to 1.41 times the row on ten servers with this row at full
/// load, and 126 of 130 measurements at 10 to 100 % load and with four kinds of work were within this band. Only the
/// [frequency](REFERENCE_MHZ) and the [curve](super::curve) come from the recordings. If both are fitted without the
/// processor that they are tried on, 126 are within the band too. Power at rest was 0.6 to 2.2 times that of the row.
const RECORDED_ERROR: f64 = 0.6;

/// Error of any other row. In 138 single results for twelve microarchitectures the rise was 0.42 to 1.57 times that of
/// the row. The ten recordings rise 0.55 to 2.81 times as much as their rows do without the frequency, eight of them within
/// this band.
const PUBLISHED_ERROR: f64 = 0.8;

/// Error of the generic row. In results for processors without a row, the rise is 0.3 times (EPYC 9965: 0.85 W) to
/// 1.8 times (Xeon E-2488: 4.9 W) the generic 2.76 W. The recording of an unknown processor shows 1.82 times.
const GENERIC_ERROR: f64 = 0.9;

/// Frequency of the processors for which the rows hold that were recorded.
///
/// Processors of one kind share the power of a package among few fast or many slow cores. So power per thread goes with
/// the square of the nominal frequency: the exponent that fits all recordings of 2.3 to 3.8 GHz is 2.4, and 2.1 to 2.6
/// if one of six processors is left out.
const REFERENCE_MHZ: u32 = 2500;

/// Frequencies for which that is believed.
const BELIEVED_MHZ: std::ops::RangeInclusive<u32> = 2000..=4000;

/// Mean of the processors that AWS uses, for a processor that is not listed.
///
/// Source: Cloud Carbon Footprint, `microsite/docs/Methodology.md`: "Average Min Watts: 0.74, Average Max Watts: 3.5".
const GENERIC: Coefficients = Coefficients {
    microarchitecture: None,
    idle_milliwatts: 740,
    full_milliwatts: 3500,
    relative_error: GENERIC_ERROR,
    includes_memory: true,
};

const fn row(name: &'static str, idle_milliwatts: u32, full_milliwatts: u32) -> Coefficients {
    Coefficients {
        microarchitecture: Some(name),
        idle_milliwatts,
        full_milliwatts,
        relative_error: PUBLISHED_ERROR,
        includes_memory: true,
    }
}

// From `coefficients-aws-use.csv`, rounded to a milliwatt.
const SANDY_BRIDGE: Coefficients = row("Sandy Bridge", 2212, 8631);
const IVY_BRIDGE: Coefficients = row("Ivy Bridge", 1707, 5557);
const HASWELL: Coefficients = row("Haswell", 1857, 5595);
const BROADWELL: Coefficients = row("Broadwell", 713, 3685);
const CASCADE_LAKE: Coefficients = row("Cascade Lake", 690, 4063);
const COFFEE_LAKE: Coefficients = row("Coffee Lake", 1138, 5422);
const ICE_LAKE: Coefficients = row("Ice Lake", 767, 3758);
const SAPPHIRE_RAPIDS: Coefficients = row("Sapphire Rapids", 1036, 4160);
const EMERALD_RAPIDS: Coefficients = row("Emerald Rapids", 814, 4482);
const GRANITE_RAPIDS: Coefficients = row("Granite Rapids", 582, 2527);
const EPYC_1: Coefficients = row("EPYC 1st Gen", 847, 2604);
const EPYC_2: Coefficients = row("EPYC 2nd Gen", 474, 1693);
const EPYC_3: Coefficients = row("EPYC 3rd Gen", 456, 1957);
const EPYC_4: Coefficients = row("EPYC 4th Gen", 739, 2282);

// From `tests/test_power_averages.py`. The first table has one row for both kinds of Skylake. It gives Graviton2, a
// Neoverse N1, the row of EPYC 2nd Gen, though there are results of processors with that core.
const SKYLAKE_SERVER: Coefficients = row("Skylake (server)", 550, 4010);
const SKYLAKE_CLIENT: Coefficients = row("Skylake (client)", 1820, 5860);
const NEOVERSE_N1: Coefficients = row("Neoverse N1", 740, 1710);

impl Coefficients {
    /// The row of a processor at its frequency, or the generic one.
    #[must_use]
    pub fn of(processor: &Processor) -> Self {
        let row = Self::of_kind(processor.signature.as_ref());
        let is_recorded = [BROADWELL, SKYLAKE_SERVER, CASCADE_LAKE].contains(&row);
        match processor.nominal_mhz().filter(|_| is_recorded) {
            Some(mhz) => row.at(mhz),
            None => row,
        }
    }

    /// A recorded row, for processors of this nominal frequency. RAPL tells the power of packages without memory.
    fn at(self, mhz: u32) -> Self {
        let mhz = u64::from(mhz.clamp(*BELIEVED_MHZ.start(), *BELIEVED_MHZ.end()));
        let scaled = |milliwatts: u32| {
            let scaled = u64::from(milliwatts) * mhz.pow(2) / u64::from(REFERENCE_MHZ).pow(2);
            u32::try_from(scaled).unwrap_or(u32::MAX)
        };
        Self {
            idle_milliwatts: scaled(self.idle_milliwatts),
            full_milliwatts: scaled(self.full_milliwatts),
            relative_error: RECORDED_ERROR,
            includes_memory: false,
            ..self
        }
    }

    /// The row of a kind of processor.
    ///
    /// Source of the numbers: Linux `arch/x86/include/asm/intel-family.h`, `arch/x86/kernel/cpu/amd.c` and
    /// `arch/arm64/include/asm/cputype.h`; for AMD's server models wikichip.org/wiki/amd/cpuid; for steppings Intel's
    /// microcode release notes: 06-55-04 Skylake-SP, 06-55-06 and -07 Cascade Lake, 06-55-0b Cooper Lake, 06-9e-09
    /// Kaby Lake, 06-9e-0a to -0d Coffee Lake.
    fn of_kind(signature: Option<&Signature>) -> Self {
        match signature {
            Some(Signature::X86 { vendor, family, model, stepping }) => {
                match (vendor.as_str(), family, model, stepping) {
                    ("GenuineIntel", 6, 42 | 45, _) => SANDY_BRIDGE,
                    ("GenuineIntel", 6, 58 | 62, _) => IVY_BRIDGE,
                    ("GenuineIntel", 6, 60 | 63, _) => HASWELL,
                    ("GenuineIntel", 6, 79 | 86, _) => BROADWELL,
                    ("GenuineIntel", 6, 85, 0..=4) => SKYLAKE_SERVER,
                    ("GenuineIntel", 6, 85, 5..=7) => CASCADE_LAKE,
                    ("GenuineIntel", 6, 94, _) => SKYLAKE_CLIENT,
                    ("GenuineIntel", 6, 158, 10..=13) => COFFEE_LAKE,
                    ("GenuineIntel", 6, 106, _) => ICE_LAKE,
                    ("GenuineIntel", 6, 143, _) => SAPPHIRE_RAPIDS,
                    ("GenuineIntel", 6, 207, _) => EMERALD_RAPIDS,
                    ("GenuineIntel", 6, 173, _) => GRANITE_RAPIDS,
                    ("AuthenticAMD", 23, 1, _) => EPYC_1,
                    ("AuthenticAMD", 23, 49, _) => EPYC_2,
                    ("AuthenticAMD", 25, 1, _) => EPYC_3,
                    ("AuthenticAMD", 25, 17 | 160, _) => EPYC_4,
                    _ => GENERIC,
                }
            }
            Some(Signature::Arm { implementer: 0x41, part: 0xd0c }) => NEOVERSE_N1,
            Some(Signature::Arm { .. }) | None => GENERIC,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vendor: &str, family: u32, model: u32, stepping: u32) -> Option<&'static str> {
        Coefficients::of_kind(Some(&x86(vendor, family, model, stepping))).microarchitecture
    }

    fn x86(vendor: &str, family: u32, model: u32, stepping: u32) -> Signature {
        Signature::X86 { vendor: vendor.to_owned(), family, model, stepping }
    }

    fn named(model: u32, stepping: u32, name: &str) -> Coefficients {
        let signature = Some(x86("GenuineIntel", 6, model, stepping));
        Coefficients::of(&Processor { signature, name: Some(name.to_owned()), ..Processor::default() })
    }

    #[test]
    fn a_recorded_row_goes_with_the_square_of_the_frequency() {
        let at = |ghz: &str| named(85, 7, &format!("Intel(R) Xeon(R) Platinum CPU @ {ghz}GHz"));
        let recorded = Coefficients { relative_error: RECORDED_ERROR, includes_memory: false, ..CASCADE_LAKE };
        assert_eq!(at("2.50"), recorded);
        assert_eq!((at("3.80").idle_milliwatts, at("3.80").full_milliwatts), (1594, 9387));
        assert_eq!((at("0.50"), at("9.00")), (at("2.00"), at("4.00")));
    }

    #[test]
    fn a_row_that_was_not_recorded_or_whose_frequency_is_unknown_stays_as_published() {
        assert_eq!(named(106, 6, "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"), ICE_LAKE);
        assert_eq!(named(85, 7, "Intel Xeon Processor (Cascadelake)"), CASCADE_LAKE);
        assert_eq!(CASCADE_LAKE.relative_error, PUBLISHED_ERROR);
    }

    #[test]
    fn one_model_number_may_be_three_microarchitectures() {
        assert_eq!(of("GenuineIntel", 6, 85, 4), Some("Skylake (server)"));
        assert_eq!(of("GenuineIntel", 6, 85, 5), Some("Cascade Lake"));
        assert_eq!(of("GenuineIntel", 6, 85, 7), Some("Cascade Lake"));
        assert_eq!(of("GenuineIntel", 6, 85, 11), None);
        assert_eq!(of("GenuineIntel", 6, 158, 9), None);
        assert_eq!(of("GenuineIntel", 6, 158, 13), Some("Coffee Lake"));
    }

    #[test]
    fn numbers_mean_nothing_without_their_vendor() {
        assert_eq!(of("AuthenticAMD", 25, 1, 1), Some("EPYC 3rd Gen"));
        assert_eq!(of("GenuineIntel", 25, 1, 1), None);
        assert_eq!(of("HygonGenuine", 24, 1, 1), None);
    }

    #[test]
    fn every_row_draws_more_under_load_and_admits_an_error() {
        let vendors = ["GenuineIntel", "AuthenticAMD"];
        for (vendor, family, model, stepping) in vendors
            .iter()
            .flat_map(|v| (0..30).flat_map(move |f| (0..256).flat_map(move |m| (0..16).map(move |s| (*v, f, m, s)))))
        {
            let row = Coefficients::of_kind(Some(&x86(vendor, family, model, stepping)));
            assert!(row.idle_milliwatts < row.full_milliwatts && row.full_milliwatts < 10_000);
            assert!(row.relative_error > 0.0 && row.relative_error < 1.0);
            assert_eq!(row.microarchitecture.is_none(), row == GENERIC);
        }
    }
}
