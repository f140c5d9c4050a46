//! What was used since the last flush, by hour: summed in whole numbers until it is stored.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

use nebula_metering::{Accounts, FunctionEnergy, FunctionId, Microjoules};

use super::Hour;
use super::reading::{FunctionReading, FunctionVersion, FunctionWork, Reading, ZoneKey};
use crate::units::{BILLIONTHS, Policy};

/// The unit of carbon. The unit of money is its currency.
pub const GRAMS: &str = "gCO2e";

/// What a function's energy came to in grams or money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Of each of its [`components`], in [`BILLIONTHS`].
    pub amounts: [u64; 3],
    /// The energy for which this is known.
    pub of: FunctionEnergy,
}

impl Footprint {
    /// What the policy counts of it, in [`BILLIONTHS`].
    pub fn counted(&self, policy: Policy) -> u64 {
        let [active, preparing, base] = self.amounts;
        policy.of(active + preparing, base)
    }
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.amounts.iter_mut().zip(other.amounts).for_each(|(sum, amount)| *sum += amount);
        self.of += other.of;
    }
}

/// The active, preparing and base energy, in the order of the columns of the file.
pub(super) fn components(energy: FunctionEnergy) -> [u64; 3] {
    [energy.active, energy.preparing, energy.base].map(|energy| energy.0)
}

/// A unit and what a joule comes to in it now, including PUE: grams ([`GRAMS`]), or a currency such as `EUR`.
pub type EnergyRate = (Arc<str>, f64);

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
    pub fn add(&mut self, hour: Hour, earlier: &Reading, now: &Reading, rates: &[EnergyRate]) {
        let mut charged = BTreeMap::<FunctionId, FunctionEnergy>::new();
        let version = |id| now.functions.get(&id).map_or_else(FunctionVersion::other, |found| found.version.clone());
        for (key, accounts) in &now.zones {
            let mut grown = match earlier.zones.iter().find(|(known, _)| known == key) {
                Some((_, before)) => accounts.since(before),
                None => accounts.clone(),
            };
            if grown.total == Microjoules::ZERO {
                continue;
            }
            for (id, grown) in (0..).map(FunctionId).zip(std::mem::take(&mut grown.functions)) {
                if grown != FunctionEnergy::default() {
                    *self.functions.entry((hour, version(id), key.clone())).or_default() += grown;
                    *charged.entry(id).or_default() += grown;
                }
            }
            *self.zones.entry((hour, key.clone())).or_default() += &grown;
        }
        for (id, FunctionReading { version, work }) in &now.functions {
            let before = earlier.functions.get(id).map(|function| function.work).unwrap_or_default();
            let grown = work.since(before);
            if grown != FunctionWork::default() {
                *self.work.entry((hour, version.clone(), now.metered)).or_default() += grown;
            }
        }
        for (unit, rate) in rates {
            for (&id, &energy) in &charged {
                let carried = self.carried.entry((id, unit.clone())).or_default();
                let footprint = Footprint { amounts: amounts(energy, *rate, carried), of: energy };
                *self.footprints.entry((hour, version(id), unit.clone())).or_default() += footprint;
            }
        }
    }

    /// How many rows it makes.
    pub fn len(&self) -> usize {
        self.functions.len() + self.zones.len() + self.work.len() + self.footprints.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes what has been stored.
    pub fn clear(&mut self) {
        let carried = std::mem::take(&mut self.carried);
        *self = Self { carried, ..Self::default() };
    }
}

/// What each component comes to in whole billionths. The remainders are carried to the next amounts.
fn amounts(energy: FunctionEnergy, rate: f64, carried: &mut [f64; 3]) -> [u64; 3] {
    let energy = components(energy);
    std::array::from_fn(|component| {
        let exact = Microjoules(energy[component]).joules().0 * rate * BILLIONTHS + carried[component];
        // What is carried is negative after rounding up; an amount never is.
        let whole = exact.round().max(0.0);
        carried[component] = exact - whole;
        whole as u64
    })
}

#[cfg(test)]
mod tests {
    use super::super::made_up::MadeUp;
    use super::*;
    use crate::outcome::Outcome;
    use nebula_metering::source::SourceKind;

    fn reading(active: u64, calls: u64) -> Reading {
        let mut daemon = MadeUp::new(SourceKind::Model, &[("f", "1")]);
        let energy =
            FunctionEnergy { active: Microjoules(active), base: Microjoules(active / 2), ..FunctionEnergy::default() };
        daemon.reading.zones[0].1 = Accounts {
            total: Microjoules(active + 10),
            functions: vec![energy],
            host: Microjoules(10),
            ..Accounts::default()
        };
        daemon.calls(0, Outcome::Ok, calls);
        daemon.reading
    }

    #[test]
    fn growth_is_booked_in_its_hour() {
        let mut pending = Pending::default();
        let readings = [Reading::default(), reading(100, 1), reading(100, 1), reading(300, 3)];
        for (hour, pair) in [1, 2, 3].map(Hour).into_iter().zip(readings.windows(2)) {
            pending.add(hour, &pair[0], &pair[1], &[]);
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
        let rates = [(GRAMS.into(), 4e-4)];
        let mut pending = Pending::default();
        let mut earlier = Reading::default();
        // 1 µJ is 0.4 billionths of a gram.
        for active in 1..=1000 {
            let now = reading(active, 0);
            pending.add(Hour(7), &earlier, &now, &rates);
            earlier = now;
            if active == 500 {
                let stored = pending.footprints.values().next().unwrap().amounts[0];
                assert!((199..=201).contains(&stored), "{stored}");
                pending.clear();
            }
        }
        let footprint = pending.footprints.values().next().unwrap();
        assert!((199..=201).contains(&footprint.amounts[0]), "{footprint:?}");
        assert_eq!(footprint.of.active, Microjoules(500));
    }
}
