//! The range of a counter and the maximum power of its zone. They tell a wrap from a reset, and energy from nonsense.

use std::path::Path;

use crate::sysfs::attribute::read_optional_number;
use crate::units::{Microjoules, Watts};
use crate::zone::Domain;

/// A counter register has 32 bits of the zone's energy unit. Source: Intel SDM volume 3, "RAPL Interfaces".
const REGISTER_MAX: u64 = u32::MAX as u64;

/// Step of a counter without a stated range: 2^-14 J, the coarsest unit in wide use, in whole microjoules.
const QUANTUM_UNSTATED: Microjoules = Microjoules(62);

/// Maximum number of constraints per zone (`MAX_CONSTRAINTS_PER_ZONE`, `include/linux/powercap.h`).
const CONSTRAINTS_MAX: u32 = 10;

/// How far a zone may exceed its stated maximum. That is the sustained design power, which turbo exceeds freely: 15 W
/// processors ship with short-term limits of 64 W. A factor of four, with the floor below, accepts every honest
/// reading. The spikes seen after a resume are kilowatts and megawatts.
const MARGIN: f64 = 4.0;

/// Power that a kind of zone can draw, whatever the machine states.
struct Reach {
    /// The bound is never lower. A limit may be lowered and raised again unnoticed, and refusing an honest reading is
    /// worse than a wide bound.
    floor: Watts,
    /// No such zone is known to draw more. A higher statement is a placeholder for "no limit" (BIOSes write 4090 W).
    /// This is also the bound if nothing is stated, as on AMD.
    ceiling: Watts,
}

impl Reach {
    fn of(domain: &Domain) -> Self {
        let (floor, ceiling) = match domain {
            // The largest server packages are specified at about 500 W, and the margin applies to them too. The
            // smallest laptop packages draw far less than 150 W.
            Domain::Package | Domain::Core | Domain::Uncore => (150.0, 2000.0),
            // A server package has up to 24 modules of 10 to 20 W. Those of a laptop draw a few watts.
            Domain::Dram => (100.0, 1000.0),
            // The platform contains all packages. Nothing better is known about other domains.
            Domain::Psys | Domain::Platform | Domain::Other(_) => (300.0, 10_000.0),
        };
        Self { floor: Watts(floor), ceiling: Watts(ceiling) }
    }
}

/// Powers from the constraints of a zone.
#[derive(Debug, Default)]
pub(in crate::source) struct StatedPowers {
    /// `constraint_N_max_power_uw`.
    pub(in crate::source) maxima: Vec<Watts>,
    /// `constraint_N_power_limit_uw`.
    pub(in crate::source) limits: Vec<Watts>,
}

/// Reads the constraints of the zone in `directory`. Any of them may be missing, empty or unreadable, and zero means
/// not stated.
pub(super) fn read_stated_powers(directory: &Path) -> StatedPowers {
    let mut stated = StatedPowers::default();
    for constraint in 0..CONSTRAINTS_MAX {
        let read = |what| read_optional_number(&directory.join(format!("constraint_{constraint}_{what}_uw")));
        stated.maxima.extend(read("max_power").map(watts));
        stated.limits.extend(read("power_limit").map(watts));
    }
    stated
}

/// Reads `max_energy_range_uj`. Without it, a falling value can only be a reset.
pub(super) fn read_range(directory: &Path) -> Option<Microjoules> {
    read_optional_number(&directory.join("max_energy_range_uj")).filter(|&range| range > 0).map(Microjoules)
}

/// Maximum power of the zone: the largest stated maximum, else the largest limit, times [`MARGIN`]. Statements beyond
/// the reach of the domain are ignored.
pub(in crate::source) fn watts_max(domain: &Domain, stated: &StatedPowers) -> Watts {
    let reach = Reach::of(domain);
    let largest = |powers: &[Watts]| {
        let believed = powers.iter().map(|power| power.0).filter(|&power| power > 0.0 && power <= reach.ceiling.0);
        believed.reduce(f64::max)
    };
    let power = largest(&stated.maxima).or_else(|| largest(&stated.limits));
    power.map_or(reach.ceiling, |power| Watts((power * MARGIN).clamp(reach.floor.0, reach.ceiling.0)))
}

/// The smallest step of a counter with this range, in whole microjoules, rounded up. The range is that of the register,
/// so the unit follows from it.
pub(in crate::source) fn quantum(range: Option<Microjoules>) -> Microjoules {
    range.map_or(QUANTUM_UNSTATED, |range| Microjoules(range.0.div_ceil(REGISTER_MAX)))
}

pub(in crate::source) fn watts(microwatts: u64) -> Watts {
    Watts(microwatts as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(domain: &Domain, maxima: &[f64], limits: &[f64]) -> Watts {
        let powers = |values: &[f64]| values.iter().copied().map(Watts).collect();
        watts_max(domain, &StatedPowers { maxima: powers(maxima), limits: powers(limits) })
    }

    #[test]
    fn the_largest_stated_maximum_bounds_the_power() {
        assert_eq!(bound(&Domain::Package, &[95.0, 0.0], &[4090.0]), Watts(380.0));
        assert_eq!(bound(&Domain::Package, &[95.0, 120.0], &[]), Watts(480.0));
    }

    #[test]
    fn a_limit_counts_only_where_no_maximum_is_stated_and_is_not_believed_when_it_means_unlimited() {
        assert_eq!(bound(&Domain::Package, &[], &[60.0, 90.0]), Watts(360.0));
        assert_eq!(bound(&Domain::Package, &[0.0], &[4090.0, 45.0]), Watts(180.0));
        assert_eq!(bound(&Domain::Package, &[], &[4090.0]), Watts(2000.0));
    }

    #[test]
    fn the_bound_stays_within_the_reach_of_the_domain() {
        assert_eq!(bound(&Domain::Package, &[17.0], &[200.0]), Watts(150.0));
        assert_eq!(bound(&Domain::Package, &[800.0], &[]), Watts(2000.0));
        assert_eq!(bound(&Domain::Dram, &[], &[]), Watts(1000.0));
        assert_eq!(bound(&Domain::Package, &[watts(u64::MAX).0], &[]), Watts(2000.0));
        assert_eq!(bound(&Domain::Other("npu".into()), &[], &[]), Watts(10_000.0));
    }

    #[test]
    fn the_quantum_is_the_unit_rounded_up() {
        let of = |range| quantum(Some(Microjoules(range)));
        assert_eq!(of(262_143_328_850), Microjoules(62), "2^-14 J");
        assert_eq!(of(65_532_610_987), Microjoules(16), "2^-16 J");
        assert_eq!(of(4_294_967_295_000_000), Microjoules(1_000_000), "1 J");
        assert_eq!(of(1), Microjoules(1));
        assert_eq!(of(u64::MAX), Microjoules(4_294_967_297));
        assert_eq!(quantum(None), Microjoules(62));
    }
}
