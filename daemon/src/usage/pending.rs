//! What has come since the last flush, by hour: summed in whole numbers until it is stored.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, FunctionEnergy, FunctionId, Microjoules, Zone};

use super::Hour;
use super::reading::{FunctionVersion, FunctionWork, Reading, ZoneReading};
use crate::units::BILLIONTHS;
use crate::units::Policy;

/// The unit of carbon. The unit of money is its currency.
pub const GRAMS: &str = "gCO2e";

/// A zone as one source reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneKey {
    pub source: &'static str,
    pub zone: Zone,
}

/// What a function's energy came to in grams or money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Of its active energy, in [`BILLIONTHS`].
    pub active: u64,
    /// Of the energy that preparing it took.
    pub preparing: u64,
    /// Of its share of the base energy.
    pub base: u64,
    /// The energy for which this is known.
    pub of: FunctionEnergy,
}

impl Footprint {
    /// What the policy counts of it, in [`BILLIONTHS`].
    #[must_use]
    pub fn counted(&self, policy: Policy) -> u64 {
        policy.of(self.active + self.preparing, self.base)
    }
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.active += other.active;
        self.preparing += other.preparing;
        self.base += other.base;
        self.of += other.of;
    }
}

/// What a joule comes to now, including PUE. `None` if that is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnergyRates {
    /// Grams of CO2e.
    pub grams_per_joule: Option<f64>,
    pub tariff: Option<Tariff>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tariff {
    pub per_joule: f64,
    /// Such as `EUR`.
    pub currency: Arc<str>,
}

impl EnergyRates {
    fn each(&self) -> impl Iterator<Item = (Arc<str>, f64)> + '_ {
        let grams = self.grams_per_joule.map(|rate| (GRAMS.into(), rate));
        let money = self.tariff.as_ref().map(|tariff| (tariff.currency.clone(), tariff.per_joule));
        grams.into_iter().chain(money).filter(|(_, rate)| rate.is_finite() && *rate >= 0.0)
    }
}

/// Everything that is not stored yet.
#[derive(Debug, Default)]
pub struct Pending {
    pub(super) functions: BTreeMap<(Hour, FunctionVersion, ZoneKey), FunctionEnergy>,
    /// The accounts without those of functions.
    pub(super) zones: BTreeMap<(Hour, ZoneKey), Accounts>,
    /// The last key says whether energy was measured.
    pub(super) work: BTreeMap<(Hour, FunctionVersion, bool), FunctionWork>,
    pub(super) footprints: BTreeMap<(Hour, FunctionVersion, Arc<str>), Footprint>,
    /// Fractions of a billionth that were not counted yet, so that small amounts add up.
    carried: HashMap<(FunctionId, Arc<str>), [f64; 3]>,
}

impl Pending {
    /// Adds the growth between two readings to an hour.
    pub fn add(&mut self, hour: Hour, earlier: &Reading, now: &Reading, rates: &EnergyRates) {
        let mut charged = BTreeMap::<FunctionId, FunctionEnergy>::new();
        let version = |id: FunctionId| now.find(id).map_or_else(FunctionVersion::other, |found| found.version.clone());
        for zone in &now.zones {
            let same = |known: &&ZoneReading| known.source == zone.source && known.zone == zone.zone;
            let mut grown = match earlier.zones.iter().find(same) {
                Some(before) => zone.accounts.since(&before.accounts),
                None => zone.accounts.clone(),
            };
            if grown.total == Microjoules::ZERO {
                continue;
            }
            let key = ZoneKey { source: SourceKind::as_str(zone.source), zone: zone.zone.clone() };
            for (id, grown) in (0..).map(FunctionId).zip(std::mem::take(&mut grown.functions)) {
                if grown != FunctionEnergy::default() {
                    *self.functions.entry((hour, version(id), key.clone())).or_default() += grown;
                    *charged.entry(id).or_default() += grown;
                }
            }
            *self.zones.entry((hour, key)).or_default() += &grown;
        }
        for function in &now.functions {
            let before = earlier.find(function.id).map(|function| function.work).unwrap_or_default();
            // CPU time is unknown once the meter has failed.
            let grown = function.work.each(before, u64::saturating_sub);
            if grown != FunctionWork::default() {
                let sum = self.work.entry((hour, function.version.clone(), now.metered)).or_default();
                *sum = sum.each(grown, |sum, grown| sum + grown);
            }
        }
        for (unit, rate) in rates.each() {
            for (&id, &energy) in &charged {
                let sum = self.footprints.entry((hour, version(id), unit.clone())).or_default();
                let carried = self.carried.entry((id, unit.clone())).or_default();
                sum.active += amount(energy.active, rate, &mut carried[0]);
                sum.preparing += amount(energy.preparing, rate, &mut carried[1]);
                sum.base += amount(energy.base, rate, &mut carried[2]);
                sum.of += energy;
            }
        }
    }

    /// How many rows it makes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.functions.len() + self.zones.len() + self.work.len() + self.footprints.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes what has been stored.
    pub fn clear(&mut self) {
        let carried = std::mem::take(&mut self.carried);
        *self = Self { carried, ..Self::default() };
    }
}

/// What an energy comes to in whole billionths. The remainder is carried to the next amount.
fn amount(energy: Microjoules, rate: f64, carried: &mut f64) -> u64 {
    let exact = energy.joules().0 * rate * BILLIONTHS + *carried;
    // `carried` is negative after rounding up; an amount never is.
    let whole = exact.round().max(0.0);
    *carried = exact - whole;
    whole as u64
}

#[cfg(test)]
mod tests {
    use super::super::reading::FunctionReading;
    use super::*;
    use nebula_metering::Domain;

    fn reading(active: u64, calls: u64) -> Reading {
        let energy =
            FunctionEnergy { active: Microjoules(active), base: Microjoules(active / 2), ..FunctionEnergy::default() };
        let accounts = Accounts {
            total: Microjoules(active + 10),
            functions: vec![FunctionEnergy::default(), energy],
            host: Microjoules(10),
            ..Accounts::default()
        };
        let zone = ZoneReading { source: SourceKind::Model, zone: Zone::new(Domain::Package, "0"), accounts };
        let work = FunctionWork { calls: [calls, 0, 0, 0, 0, 0, 0], ..FunctionWork::default() };
        let version = FunctionVersion::new("f", "1");
        Reading {
            zones: vec![zone],
            functions: vec![FunctionReading { id: FunctionId(1), version, work }],
            metered: true,
        }
    }

    #[test]
    fn growth_is_booked_in_its_hour() {
        let mut pending = Pending::default();
        let readings = [Reading::default(), reading(100, 1), reading(100, 1), reading(300, 3)];
        for (hour, pair) in [1, 2, 3].map(Hour).into_iter().zip(readings.windows(2)) {
            pending.add(hour, &pair[0], &pair[1], &EnergyRates::default());
        }
        let energies: Vec<_> = pending.functions.iter().map(|((hour, ..), energy)| (hour.0, energy.active.0)).collect();
        assert_eq!(energies, [(1, 100), (3, 200)]);
        let zones: Vec<_> = pending.zones.iter().map(|((hour, _), zone)| (hour.0, zone.total.0, zone.host.0)).collect();
        assert_eq!(zones, [(1, 110, 10), (3, 200, 0)]);
        let calls: Vec<_> = pending.work.iter().map(|((hour, ..), work)| (hour.0, work.calls[0])).collect();
        assert_eq!(calls, [(1, 1), (3, 2)]);
        assert!(pending.footprints.is_empty());
    }

    #[test]
    fn amounts_below_a_billionth_add_up() {
        let rates = EnergyRates { grams_per_joule: Some(4e-4), tariff: None };
        let mut pending = Pending::default();
        let mut earlier = Reading::default();
        // 1 µJ is 0.4 billionths of a gram.
        for active in 1..=1000 {
            let now = reading(active, 0);
            pending.add(Hour(7), &earlier, &now, &rates);
            earlier = now;
            if active == 500 {
                let stored = pending.footprints.values().next().unwrap().active;
                assert!((199..=201).contains(&stored), "{stored}");
                pending.clear();
            }
        }
        let footprint = pending.footprints.values().next().unwrap();
        assert!((199..=201).contains(&footprint.active), "{footprint:?}");
        assert_eq!(footprint.of.active, Microjoules(500));
    }
}
