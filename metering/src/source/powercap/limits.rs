//! What a counter can hold and its zone can draw: the figures that tell a wrap from a reset, and energy from nonsense.

use std::path::Path;

use crate::sysfs::attribute::read_optional_number;
use crate::units::{Microjoules, Watts};
use crate::zone::Domain;

/// A counter register has 32 bits of the zone's energy unit. Source: Intel SDM volume 3, "RAPL Interfaces".
const REGISTER_MAX: u64 = u32::MAX as u64;

/// Step of a counter that does not state its range: 2^-14 J, the coarsest unit in wide use, in whole microjoules.
const QUANTUM_UNSTATED: Microjoules = Microjoules(62);

/// Constraints that the kernel allows a zone (`MAX_CONSTRAINTS_PER_ZONE`, `include/linux/powercap.h`).
const CONSTRAINTS_MAX: u32 = 10;

/// How far a zone may exceed what it states. The stated maximum is the sustained design power, which turbo exceeds at
/// will: processors of 15 W ship with short-term limits of 64 W. Four times the statement, and no less than the floor
/// below, keeps every honest reading, while the spikes seen after a resume are kilowatts and megawatts.
const MARGIN: f64 = 4.0;

/// What a kind of zone can draw at all, whatever a machine states.
struct Reach {
    /// The bound is never set lower: a limit may be lowered for a while and raised again behind our back, and an
    /// honest reading refused is worse than a wide bound.
    floor: Watts,
    /// No such zone is known to draw more. A statement beyond it is a placeholder for "no limit" (BIOSes write
    /// 4090 W); it is the bound itself where nothing is stated, as on AMD, where there are no constraints.
    ceiling: Watts,
}

impl Reach {
    fn of(domain: &Domain) -> Self {
        let (floor, ceiling) = match domain {
            // The largest server packages are specified at some 500 W, and the margin is applied to those too. The
            // smallest ones of laptops draw well below 150 W whatever their limits.
            Domain::Package | Domain::Core | Domain::Uncore => (150.0, 2000.0),
            // A package of a server has up to 24 modules, of some 10 to 20 W; those of a laptop draw a few watts.
            Domain::Dram => (100.0, 1000.0),
            // The platform contains all packages, and of the unknown nothing better is known.
            Domain::Psys | Domain::Platform | Domain::Other(_) => (300.0, 10_000.0),
        };
        Self { floor: Watts(floor), ceiling: Watts(ceiling) }
    }
}

/// The powers that a zone's constraints state.
#[derive(Debug, Default)]
pub(in crate::source) struct StatedPowers {
    /// `constraint_N_max_power_uw`.
    pub(in crate::source) maxima: Vec<Watts>,
    /// `constraint_N_power_limit_uw`.
    pub(in crate::source) limits: Vec<Watts>,
}

/// Reads the constraints of the zone in `directory`. Any of them may be missing, empty or unanswered, and a zero means
/// that nothing is stated.
pub(super) fn read_stated_powers(directory: &Path) -> StatedPowers {
    let mut stated = StatedPowers::default();
    for constraint in 0..CONSTRAINTS_MAX {
        let read = |what| read_optional_number(&directory.join(format!("constraint_{constraint}_{what}_uw")));
        stated.maxima.extend(read("max_power").map(watts));
        stated.limits.extend(read("power_limit").map(watts));
    }
    stated
}

/// Reads `max_energy_range_uj`. `None` where it is not stated, so that a falling value can only be a reset.
pub(super) fn read_range(directory: &Path) -> Option<Microjoules> {
    read_optional_number(&directory.join("max_energy_range_uj")).filter(|&range| range > 0).map(Microjoules)
}

/// More than this the zone cannot draw: the largest stated maximum, or for want of one the largest limit, times
/// [`MARGIN`]; statements beyond the reach of the domain are not believed.
pub(in crate::source) fn watts_max(domain: &Domain, stated: &StatedPowers) -> Watts {
    let reach = Reach::of(domain);
    let largest = |powers: &[Watts]| {
        let believed = powers.iter().map(|power| power.0).filter(|&power| power > 0.0 && power <= reach.ceiling.0);
        believed.reduce(f64::max)
    };
    let power = largest(&stated.maxima).or_else(|| largest(&stated.limits));
    power.map_or(reach.ceiling, |power| Watts((power * MARGIN).clamp(reach.floor.0, reach.ceiling.0)))
}

/// The smallest step of a counter with this range, rounded up to whole microjoules. The range is that of the register
/// in microjoules, so that the unit follows from it, also where a domain's differs from that of its package.
pub(in crate::source) fn quantum(range: Option<Microjoules>) -> Microjoules {
    range.map_or(QUANTUM_UNSTATED, |range| Microjoules(range.0.div_ceil(REGISTER_MAX)))
}

/// Power as the kernel states it.
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
