//! Power, from the growth of the accounts.

use std::time::Duration;

use nebula_metering::{Accounts, FunctionId, Microjoules, ZoneReport};

use crate::meter::Snapshot;

/// Functions that are shown: those with the most power.
const FUNCTIONS: usize = 10;

/// Mean settled power over some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Watts {
    pub time: Duration,
    pub source: &'static str,
    /// All zones of the source, including those that must not be added.
    pub zones: Vec<ZoneWatts>,
    /// Watts by account, over the zones that may be added.
    pub accounts: [(&'static str, f64); 5],
    /// Half the width of the 95 % interval of their sum, if the source states it.
    pub uncertainty: Option<f64>,
    /// The active power of the functions with the most, in descending order.
    pub functions: Vec<FunctionWatts>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ZoneWatts {
    pub zone: String,
    /// Empty for a zone that belongs to no package.
    pub package: String,
    /// Whether it may be added to others.
    pub additive: bool,
    pub watts: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FunctionWatts {
    pub function: FunctionId,
    pub watts: f64,
}

impl Watts {
    pub fn between(before: &Snapshot, after: &Snapshot, time: Duration) -> Self {
        let watts = Self::of_zones(&before.zones, &after.zones, after.source.kind.as_str(), time);
        let total: f64 = watts.accounts.iter().map(|(_, watts)| watts).sum();
        Self { uncertainty: after.relative_error.map(|error| error * total), ..watts }
    }

    fn of_zones(before: &[ZoneReport], after: &[ZoneReport], source: &'static str, time: Duration) -> Self {
        let power = |energy: Microjoules| energy.over(time).map_or(0.0, |watts| watts.0);
        let mut zones = Vec::new();
        let mut sums = Accounts::default();
        for report in after.iter().filter(|report| report.source.as_str() == source) {
            let same = |other: &&ZoneReport| other.source == report.source && other.zone == report.zone;
            let grown = match before.iter().find(same) {
                Some(earlier) => report.accounts.since(&earlier.accounts),
                None => report.accounts.clone(),
            };
            zones.push(ZoneWatts {
                zone: report.zone.domain.to_string(),
                package: report.zone.package.to_string(),
                additive: report.zone.is_additive(),
                watts: power(grown.total),
            });
            if report.zone.is_additive() {
                sums += &grown;
            }
        }
        let functions = (0..).map(FunctionId).zip(&sums.functions).filter(|(_, energy)| energy.active.0 > 0);
        let mut functions: Vec<_> =
            functions.map(|(function, energy)| FunctionWatts { function, watts: power(energy.active) }).collect();
        functions.sort_by(|a, b| b.watts.total_cmp(&a.watts));
        functions.truncate(FUNCTIONS);
        let accounts = sums.named().map(|(name, energy)| (name, power(energy)));
        Self { time, source, zones, accounts, uncertainty: None, functions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::source::SourceKind;
    use nebula_metering::{Domain, FunctionEnergy, Zone};

    fn report(domain: Domain, functions: &[u64], rest: u64) -> ZoneReport {
        let energy = |&active: &u64| FunctionEnergy { active: Microjoules(active), ..FunctionEnergy::default() };
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
            base_uncertainty: None,
            learned: None,
            failure: None,
        }
    }

    #[test]
    fn power_is_the_growth_of_the_accounts_and_adds_up() {
        let before = [report(Domain::Package, &[1_000_000], 0)];
        let after = [
            report(Domain::Package, &[1_500_000, 3_000_000], 1_000_000),
            report(Domain::Dram, &[500_000], 0),
            report(Domain::Psys, &[0], 50_000_000),
        ];
        let watts = Watts::of_zones(&before, &after, "powercap", Duration::from_millis(500));
        assert_eq!(watts.zones.iter().map(|zone| zone.watts).collect::<Vec<_>>(), [15.0, 1.0, 400.0]);
        let accounts = [("function", 8.0), ("runtime", 2.0), ("host", 2.0), ("base", 2.0), ("gap", 2.0)];
        assert_eq!(watts.accounts, accounts, "psys covers the others and is not added");
        let additive: f64 = watts.zones.iter().filter(|zone| zone.additive).map(|zone| zone.watts).sum();
        assert_eq!(additive, watts.accounts.iter().map(|(_, watts)| watts).sum::<f64>());
        let functions: Vec<_> = watts.functions.iter().map(|of| (of.function.0, of.watts)).collect();
        assert_eq!(functions, [(1, 6.0), (0, 2.0)]);
    }

    #[test]
    fn other_sources_do_not_count_and_only_the_top_functions_are_shown() {
        let busy: Vec<u64> = (1..=20).map(|watts| watts * 1_000_000).collect();
        let after = [report(Domain::Package, &busy, 0)];
        assert!(Watts::of_zones(&[], &after, "model", Duration::from_secs(1)).zones.is_empty());
        let watts = Watts::of_zones(&[], &after, "powercap", Duration::from_secs(1));
        assert_eq!((watts.functions.len(), watts.functions[0].watts), (FUNCTIONS, 20.0));
    }
}
