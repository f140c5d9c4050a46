//! What has come since the last flush, by hour: added up in whole numbers until it is stored.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, FunctionEnergy, FunctionId, Microjoules, Zone};

use super::Hour;
use super::reading::{FunctionVersion, Reading, Work, ZoneReading};
use crate::units::BILLIONTHS;
use crate::units::Policy;

/// The unit under which carbon is kept; money has its currency.
pub const GRAMS: &str = "gCO2e";

/// A counter: which zone, and where it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneKey {
    /// Where it is read.
    pub source: &'static str,
    /// Which.
    pub zone: Zone,
}

/// What a zone used, and who was charged with it besides the functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneEnergy {
    /// All of it.
    pub total: Microjoules,
    /// The daemon less its calls.
    pub runtime: Microjoules,
    /// Everything else that ran.
    pub host: Microjoules,
    /// What nobody caused.
    pub base: Microjoules,
    /// What belongs to no window.
    pub gap: Microjoules,
}

impl ZoneEnergy {
    fn of(accounts: &Accounts) -> Self {
        let Accounts { total, runtime, host, base, gap, .. } = *accounts;
        Self { total, runtime, host, base, gap }
    }

    fn each(self, other: Self, with: impl Fn(Microjoules, Microjoules) -> Microjoules) -> Self {
        Self {
            total: with(self.total, other.total),
            runtime: with(self.runtime, other.runtime),
            host: with(self.host, other.host),
            base: with(self.base, other.base),
            gap: with(self.gap, other.gap),
        }
    }
}

/// What a function's energy came to in grams or money, and how much of its energy that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Of its active energy, in [`BILLIONTHS`].
    pub active: u64,
    /// Of the energy that preparing it took.
    pub preparing: u64,
    /// Of its share of the base energy.
    pub base: u64,
    /// The energy that this is known of.
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

/// What a joule comes to at present, with everything that belongs to it (PUE).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// Grams of CO2 equivalent for a joule, where they are known.
    pub grams_per_joule: Option<f64>,
    /// What a joule costs, where that is known.
    pub tariff: Option<Tariff>,
}

/// What energy costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tariff {
    /// Units of the currency for a joule.
    pub per_joule: f64,
    /// The currency, such as `EUR`.
    pub currency: Arc<str>,
}

impl Rates {
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
    pub(super) zones: BTreeMap<(Hour, ZoneKey), ZoneEnergy>,
    /// By whether energy was measured meanwhile.
    pub(super) work: BTreeMap<(Hour, FunctionVersion, bool), Work>,
    pub(super) footprints: BTreeMap<(Hour, FunctionVersion, Arc<str>), Footprint>,
    /// Parts of a billionth that the next amounts go on from: small amounts add up.
    carried: HashMap<(FunctionId, Arc<str>), [f64; 3]>,
}

impl Pending {
    /// Adds what has come between two readings to an hour.
    pub fn add(&mut self, hour: Hour, earlier: &Reading, now: &Reading, rates: &Rates) {
        let mut charged = BTreeMap::<FunctionId, FunctionEnergy>::new();
        let version = |id: FunctionId| now.find(id).map_or_else(FunctionVersion::other, |found| found.version.clone());
        for zone in &now.zones {
            let same = |known: &&ZoneReading| known.source == zone.source && known.zone == zone.zone;
            let before = earlier.zones.iter().find(same).map(|zone| &zone.accounts);
            let key = ZoneKey { source: SourceKind::as_str(zone.source), zone: zone.zone.clone() };
            let grown = ZoneEnergy::of(&zone.accounts);
            let grown = grown.each(before.map(ZoneEnergy::of).unwrap_or_default(), |now, before| now - before);
            if grown != ZoneEnergy::default() {
                let sum = self.zones.entry((hour, key.clone())).or_default();
                *sum = sum.each(grown, |sum, grown| sum + grown);
            }
            for (place, (id, energy)) in (0..).map(FunctionId).zip(&zone.accounts.functions).enumerate() {
                let before = before.and_then(|accounts| accounts.functions.get(place)).copied().unwrap_or_default();
                let grown = *energy - before;
                if grown != FunctionEnergy::default() {
                    *self.functions.entry((hour, version(id), key.clone())).or_default() += grown;
                    *charged.entry(id).or_default() += grown;
                }
            }
        }
        for function in &now.functions {
            let before = earlier.find(function.id).map(|function| function.work).unwrap_or_default();
            // CPU time is unknown once the meter has failed.
            let grown = function.work.each(before, u64::saturating_sub);
            if grown != Work::default() {
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

    /// How many rows it comes to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.functions.len() + self.zones.len() + self.work.len() + self.footprints.len()
    }

    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has been stored.
    pub fn clear(&mut self) {
        let carried = std::mem::take(&mut self.carried);
        *self = Self { carried, ..Self::default() };
    }
}

/// What an energy comes to, in whole billionths; the rest is carried on.
fn amount(energy: Microjoules, rate: f64, carried: &mut f64) -> u64 {
    let exact = energy.joules().0 * rate * BILLIONTHS + *carried;
    // At most half a billionth is owed, and never more than is there.
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
        let work = Work { calls: [calls, 0, 0, 0, 0, 0, 0], ..Work::default() };
        let version = FunctionVersion::new("f", "1");
        Reading {
            zones: vec![zone],
            functions: vec![FunctionReading { id: FunctionId(1), version, work }],
            metered: true,
        }
    }

    #[test]
    fn only_what_has_grown_is_there_and_in_its_hour() {
        let mut pending = Pending::default();
        let readings = [Reading::default(), reading(100, 1), reading(100, 1), reading(300, 3)];
        for (hour, pair) in [1, 2, 3].map(Hour).into_iter().zip(readings.windows(2)) {
            pending.add(hour, &pair[0], &pair[1], &Rates::default());
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
    fn grams_too_few_for_a_billionth_add_up() {
        let rates = Rates { grams_per_joule: Some(4e-4), tariff: None };
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
