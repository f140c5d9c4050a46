//! Power, from how much the accounts have grown.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use nebula_metering::{FunctionId, Microjoules, ZoneReport};

use crate::meter::Snapshot;

/// Functions that are told: those that took the most.
const FUNCTIONS: usize = 10;

/// Mean power over some time, as far as it is settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Watts {
    /// How long.
    pub time: Duration,
    /// The source that is read.
    pub source: &'static str,
    /// Every zone of it, also those that must not be added.
    pub zones: Vec<ZoneWatts>,
    /// The accounts, over the zones that may be added.
    pub accounts: [(&'static str, f64); 5],
    /// The active power of the functions that took the most, the first first.
    pub functions: Vec<FunctionWatts>,
}

/// The power of a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneWatts {
    /// Which.
    pub zone: String,
    /// Of which package; empty where it belongs to none.
    pub package: String,
    /// Whether it may be added to others.
    pub additive: bool,
    /// Its power.
    pub watts: f64,
}

/// The power of a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FunctionWatts {
    /// Which.
    pub function: FunctionId,
    /// Its power, in watts.
    pub watts: f64,
}

impl Watts {
    /// From two looks at the accounts.
    #[must_use]
    pub fn between(before: &Snapshot, after: &Snapshot, time: Duration) -> Self {
        Self::of_zones(&before.zones, &after.zones, after.source.kind.as_str(), time)
    }

    fn of_zones(before: &[ZoneReport], after: &[ZoneReport], source: &'static str, time: Duration) -> Self {
        let power = |energy: Microjoules| energy.over(time).map_or(0.0, |watts| watts.0);
        let grown = |before: Option<Microjoules>, after: Microjoules| {
            Microjoules(after.0.saturating_sub(before.unwrap_or_default().0))
        };
        let (mut zones, mut functions) = (Vec::new(), BTreeMap::<FunctionId, Microjoules>::new());
        let mut accounts = ["function", "runtime", "host", "base", "gap"].map(|name| (name, Microjoules::ZERO));
        for report in after.iter().filter(|report| report.source.as_str() == source) {
            let same = |other: &&ZoneReport| other.source == report.source && other.zone == report.zone;
            let past = before.iter().find(same).map(|past| &past.accounts);
            let now = &report.accounts;
            zones.push(ZoneWatts {
                zone: report.zone.domain.to_string(),
                package: report.zone.package.to_string(),
                additive: report.zone.is_additive(),
                watts: power(grown(past.map(|past| past.total), now.total)),
            });
            if !report.zone.is_additive() {
                continue;
            }
            let energies = [
                grown(past.map(nebula_metering::Accounts::functions_total), now.functions_total()),
                grown(past.map(|past| past.runtime), now.runtime),
                grown(past.map(|past| past.host), now.host),
                grown(past.map(|past| past.base), now.base),
                grown(past.map(|past| past.gap), now.gap),
            ];
            accounts.iter_mut().zip(energies).for_each(|((_, sum), energy)| *sum += energy);
            for (place, energy) in now.functions.iter().enumerate() {
                let past = past.and_then(|past| past.functions.get(place)).map(|past| past.active);
                let id = FunctionId(u32::try_from(place).unwrap_or(u32::MAX));
                *functions.entry(id).or_default() += grown(past, energy.active);
            }
        }
        let mut functions: Vec<_> = functions.into_iter().filter(|(_, energy)| energy.0 > 0).collect();
        functions.sort_by_key(|(_, energy)| Reverse(*energy));
        functions.truncate(FUNCTIONS);
        let functions = functions.into_iter();
        Self {
            time,
            source,
            zones,
            accounts: accounts.map(|(name, energy)| (name, power(energy))),
            functions: functions.map(|(function, energy)| FunctionWatts { function, watts: power(energy) }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::source::SourceKind;
    use nebula_metering::{Accounts, Domain, FunctionEnergy, Zone};

    fn report(domain: Domain, functions: &[u64], rest: u64) -> ZoneReport {
        let energy = |&active: &u64| FunctionEnergy { active: Microjoules(active), base: Microjoules(0) };
        let accounts = Accounts {
            total: Microjoules(functions.iter().sum::<u64>() + 4 * rest),
            functions: functions.iter().map(energy).collect(),
            runtime: Microjoules(rest),
            host: Microjoules(rest),
            base: Microjoules(rest),
            gap: Microjoules(rest),
            ..Accounts::default()
        };
        ZoneReport {
            source: SourceKind::Powercap,
            zone: Zone::new(domain, "0"),
            accounts,
            watts: None,
            base: None,
            learned: None,
            failure: None,
        }
    }

    #[test]
    fn power_is_what_the_accounts_grew_by_and_adds_up() {
        let before = [report(Domain::Package, &[1_000_000], 0)];
        let after = [
            report(Domain::Package, &[1_500_000, 3_000_000], 1_000_000),
            report(Domain::Dram, &[500_000], 0),
            report(Domain::Psys, &[0], 50_000_000),
        ];
        let watts = Watts::of_zones(&before, &after, "powercap", Duration::from_millis(500));
        assert_eq!(watts.zones.iter().map(|zone| zone.watts).collect::<Vec<_>>(), [15.0, 1.0, 400.0]);
        let accounts = [("function", 8.0), ("runtime", 2.0), ("host", 2.0), ("base", 2.0), ("gap", 2.0)];
        assert_eq!(watts.accounts, accounts, "psys lies around the others");
        let additive: f64 = watts.zones.iter().filter(|zone| zone.additive).map(|zone| zone.watts).sum();
        assert_eq!(additive, watts.accounts.iter().map(|(_, watts)| watts).sum::<f64>());
        let functions: Vec<_> = watts.functions.iter().map(|told| (told.function.0, told.watts)).collect();
        assert_eq!(functions, [(1, 6.0), (0, 2.0)]);
    }

    #[test]
    fn another_source_does_not_count_and_many_functions_are_cut() {
        let busy: Vec<u64> = (1..=20).map(|watts| watts * 1_000_000).collect();
        let after = [report(Domain::Package, &busy, 0)];
        assert!(Watts::of_zones(&[], &after, "model", Duration::from_secs(1)).zones.is_empty());
        let watts = Watts::of_zones(&[], &after, "powercap", Duration::from_secs(1));
        assert_eq!((watts.functions.len(), watts.functions[0].watts), (FUNCTIONS, 20.0));
    }
}
