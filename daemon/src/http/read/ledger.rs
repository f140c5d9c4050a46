//! `GET /energy`: the ledger. Energies are exact: a whole number of microjoules, and beside it the same in joules.

use std::collections::BTreeMap;
use std::time::SystemTime;

use humantime::format_rfc3339_millis;
use nebula_api::ledger::{
    self as api, Calibration, FunctionAccount, Ledger, MeterCost, Reasons, SettledCalls, Source, Zone,
};
use nebula_metering::source::SourceKind;
use nebula_metering::{Accounts, Coefficient, Feature, FunctionEnergy, FunctionId, ZoneReport};

use crate::carbon::Carbon;
use crate::functions::Registry;
use crate::http::answer::energy::parts;
use crate::http::answer::exposure::Exposure;
use crate::http::read::quota::of_power;
use crate::invocation::Invoker;
use crate::meter::{EnergyMeter, OFF, Snapshot, ZoneKnowledge, work_model};
use crate::telemetry::{OTHER, SettledSums};

const NO_PACKAGE: &str = "the zone belongs to no package";
const STANDS_BY: &str = "another source is read at present";
const NO_WINDOW: &str = "no window with energy has closed yet";
const NOT_CLOSED: &str = "no window has closed yet";
const NO_BASE: &str = "base power is not known before the first window with energy";
const NOT_ADDED: &str = "the zone lies inside others or overlaps them: it is shown, never added, and charged to nobody";
const NOT_LEARNED: &str = "nothing has been learned yet";

/// The ledger as it stands.
pub fn ledger(registry: &Registry, invoker: &Invoker, carbon: &Carbon) -> Ledger {
    let metering = &invoker.metering;
    let measured = match metering.meter().and_then(|meter| Ok((meter, meter.snapshot()?))) {
        Ok((meter, snapshot)) => measured(meter, &snapshot, registry, invoker),
        Err(off) => Ledger {
            source: Source { kind: OFF.into(), reason: off.to_string(), ..Source::default() },
            reason: Some(off.to_string()),
            ..Ledger::default()
        },
    };
    Ledger { carbon: intensity(carbon), price: price(carbon), ..measured }
}

/// The grid's intensity; `None` where none is configured.
fn intensity(carbon: &Carbon) -> Option<api::Carbon> {
    let intensity = carbon.intensity()?;
    let known = intensity.ok();
    let since = known.and_then(|known| known.since);
    let age = since.and_then(|since| SystemTime::now().duration_since(since).ok());
    Some(api::Carbon {
        intensity_g_per_kwh: known.map(|known| known.figure.grams()),
        origin: known.map(|known| known.origin.as_str().into()),
        since: since.map(|since| format_rfc3339_millis(since).to_string()),
        age_seconds: age.map(|age| age.as_secs_f64()),
        stale_seconds: carbon.stale().as_secs_f64(),
        pue: carbon.prices().pue.factor(),
        reason: intensity.err().map(|why| why.to_string()),
    })
}

/// The price of energy; `None` where none is configured.
fn price(carbon: &Carbon) -> Option<api::Price> {
    let (price, pue) = (carbon.prices().price.as_ref()?, carbon.prices().pue.factor());
    Some(api::Price { per_kwh: price.per_kilowatt_hour, currency: price.currency.as_str().to_owned(), pue })
}

fn measured(meter: &EnergyMeter, snapshot: &Snapshot, registry: &Registry, invoker: &Invoker) -> Ledger {
    let kind = snapshot.source.kind;
    // What one source has measured is not added to what another has modelled.
    let by_source = snapshot
        .zones
        .iter()
        .map(|zone| (zone.source.as_str().into(), totals(&additive(snapshot, zone.source).sum(), registry)));
    let sums: Accounts = additive(snapshot, kind).sum();
    let known = meter.known(|_| None).unwrap_or_default();
    let gaps = snapshot.gaps.iter().map(|(reason, time)| (reason.as_str().into(), time.as_secs_f64()));
    Ledger {
        source: Source {
            kind: kind.as_str().into(),
            measured: kind.is_measured(),
            work_model: work_model(kind.as_str(), meter.no_events_word().is_none()),
            relative_error: snapshot.relative_error,
            description: Some(snapshot.source.description.clone()),
            reason: snapshot.source.reason.clone(),
            since: Some(snapshot.source.since.into()),
        },
        window_seconds: Some(meter.window().as_secs_f64()),
        zones: snapshot.zones.iter().map(|report| dated(zone(report, kind, registry), &known)).collect(),
        sums: Some(totals(&sums, registry)),
        sums_by_source: Some(by_source.collect()),
        residual_microjoules: Some(residual(&sums)),
        calls: Some(calls(registry)),
        gaps: Some(gaps.collect()),
        meter: Some(own_cost(meter, snapshot)),
        power_cap: invoker.power.as_deref().map(of_power),
        ..Ledger::default()
    }
}

/// The accounts of a source's zones that may be added.
fn additive(snapshot: &Snapshot, source: SourceKind) -> impl Iterator<Item = &Accounts> {
    let zones = snapshot.zones.iter().filter(move |zone| zone.source == source && zone.zone.is_additive());
    zones.map(|zone| &zone.accounts)
}

/// The accounts alone, over the zones of the source that is read.
pub(crate) fn accounts(snapshot: &Snapshot, registry: &Registry) -> nebula_api::events::AccountsEvent {
    let kind = snapshot.source.kind;
    nebula_api::events::AccountsEvent {
        accounts: totals(&additive(snapshot, kind).sum(), registry),
        source: kind.as_str().into(),
        calls: calls(registry),
    }
}

/// The settled calls of each function since the daemon started, whatever source it read.
fn calls(registry: &Registry) -> BTreeMap<String, SettledCalls> {
    let mut functions = BTreeMap::<String, SettledSums>::new();
    for revision in registry.revisions().values() {
        *functions.entry(revision.name.to_string()).or_default() += revision.metrics.settled();
    }
    let called = functions.into_iter().filter(|(_, sums)| sums.calls > 0);
    called.map(|(name, sums)| (name, settled(sums))).collect()
}

fn settled(SettledSums { calls, active, uncertainty }: SettledSums) -> SettledCalls {
    SettledCalls {
        settled: calls,
        active_microjoules: active.0,
        active_joules: active.joules().0,
        active_joules_uncertainty: Some(Exposure::OPERATORS.rounded_up(uncertainty.total(), active.joules())),
        uncertainty_parts: Some(parts(uncertainty, Exposure::OPERATORS, active.joules())),
    }
}

/// One zone; `present` is the source that is read.
fn zone(report: &ZoneReport, present: SourceKind, registry: &Registry) -> Zone {
    let ZoneReport { source, zone, accounts, watts, base, base_uncertainty, failure, .. } = report;
    let additive = zone.is_additive();
    let mut reasons = Reasons::new();
    let mut missing = |name: &'static str, why: &'static str| drop(reasons.insert(name.into(), why.into()));
    if zone.package.is_empty() {
        missing("package", NO_PACKAGE);
    }
    if watts.is_none() {
        missing("watts_now", if *source == present { NO_WINDOW } else { STANDS_BY });
    }
    if base.is_none() {
        missing("base_watts", if additive { NO_BASE } else { NOT_ADDED });
    }
    if base_uncertainty.is_none() {
        missing("base_watts_uncertainty", if additive { NO_BASE } else { NOT_ADDED });
    }
    if !additive {
        for name in ["accounts", "residual_microjoules", "calibration"] {
            missing(name, NOT_ADDED);
        }
    }
    Zone {
        zone: zone.domain.to_string(),
        package: (!zone.package.is_empty()).then(|| zone.package.to_string()),
        source: source.as_str().into(),
        measured: source.is_measured(),
        additive,
        watts_now: watts.map(|watts| watts.0),
        base_watts: base.map(|base| base.0),
        base_watts_uncertainty: base_uncertainty.map(|uncertainty| uncertainty.0),
        failure: failure.as_deref().map(str::to_owned),
        accounts: additive.then(|| totals(accounts, registry)),
        residual_microjoules: additive.then(|| residual(accounts)),
        calibration: additive.then(|| calibration(report, registry)),
        total_microjoules: accounts.total.0,
        total_joules: accounts.total.joules().0,
        reasons,
    }
}

/// The zone with the times of what is known of it.
fn dated(mut zone: Zone, known: &[ZoneKnowledge]) -> Zone {
    let name = zone.package.iter().fold(zone.zone.clone(), |name, package| format!("{name}-{package}"));
    let is_of = |known: &&ZoneKnowledge| known.knowledge.zone == name && known.knowledge.source == zone.source;
    if let (Some(calibration), Some(known)) = (&mut zone.calibration, known.iter().find(is_of)) {
        calibration.learned_since = Some(known.since.into());
        calibration.calibrated = known.calibrated.map(Into::into);
    }
    zone
}

/// The accounts of a zone, or their sums over several.
fn totals(accounts: &Accounts, registry: &Registry) -> api::Accounts {
    // All versions of a function together.
    let mut functions = BTreeMap::<_, FunctionEnergy>::new();
    for (id, energy) in (0..).map(FunctionId).zip(&accounts.functions) {
        if *energy != FunctionEnergy::default() {
            *functions.entry(name(id, registry)).or_default() += *energy;
        }
    }
    let account = |FunctionEnergy { active, preparing, base }| FunctionAccount {
        active_microjoules: active.0,
        active_joules: active.joules().0,
        preparing_microjoules: preparing.0,
        preparing_joules: preparing.joules().0,
        base_microjoules: base.0,
        base_joules: base.joules().0,
    };
    let function = accounts.functions_total();
    api::Accounts {
        total_microjoules: accounts.total.0,
        total_joules: accounts.total.joules().0,
        function_microjoules: function.0,
        function_joules: function.joules().0,
        runtime_microjoules: accounts.runtime.0,
        runtime_joules: accounts.runtime.joules().0,
        host_microjoules: accounts.host.0,
        host_joules: accounts.host.joules().0,
        base_microjoules: accounts.base.0,
        base_joules: accounts.base.joules().0,
        gap_microjoules: accounts.gap.0,
        gap_joules: accounts.gap.joules().0,
        functions: functions.into_iter().map(|(name, energy)| (name, account(energy))).collect(),
    }
}

/// Measured less charged: 0, for anyone who wants to check.
fn residual(accounts: &Accounts) -> i64 {
    i64::try_from(accounts.residual()).unwrap_or(i64::MAX)
}

fn calibration(report: &ZoneReport, registry: &Registry) -> Calibration {
    let (base, learned) = (report.base, report.learned.as_ref());
    let coefficient = |&Coefficient { feature, value, deviation }: &Coefficient| api::Coefficient {
        feature: feature.as_str().into(),
        value,
        unit: feature.unit().into(),
        deviation,
        function: if let Feature::Function(id) = feature { Some(name(id, registry)) } else { None },
    };
    let missing = [(base.is_none(), NO_BASE), (learned.is_none(), NOT_LEARNED)];
    let why: Vec<_> = missing.iter().filter(|(missing, _)| *missing).map(|(_, why)| *why).collect();
    Calibration {
        base_watts: base.map(|base| base.0),
        state: learned.map(|learned| learned.state.as_str().into()),
        coefficients: learned.map_or(&[][..], |learned| &learned.coefficients).iter().map(coefficient).collect(),
        learned_since: None,
        calibrated: None,
        reason: (!why.is_empty()).then(|| why.join("; ")),
    }
}

fn own_cost(meter: &EnergyMeter, snapshot: &Snapshot) -> MeterCost {
    let cost = snapshot.own_cost;
    let mut reasons = Reasons::new();
    let mut work_counters = vec!["cpu_time".into()];
    match meter.no_events() {
        Some(why) => drop(reasons.insert("work_counters".into(), why.to_owned().into())),
        None => work_counters.extend(["instructions", "cycles", "cache_misses"].map(Into::into)),
    }
    if cost.share().is_none() {
        for name in ["share_of_one_processor", "share_of_one_processor_lately"] {
            reasons.insert(name.into(), NOT_CLOSED.into());
        }
    }
    MeterCost {
        cpu_seconds: cost.cpu().as_secs_f64(),
        share_of_one_processor: cost.share(),
        share_of_one_processor_lately: cost.share_lately(),
        postings_dropped: snapshot.postings_dropped,
        work_counters,
        reasons,
    }
}

/// The name of the function of this account. One that was removed, or never compiled, keeps its account.
pub(super) fn name(id: FunctionId, registry: &Registry) -> String {
    registry.name(id).map_or_else(|| OTHER.into(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::{Domain, Joules, Learned, LearningState, Microjoules, Uncertainty, Watts, Zone};
    use serde_json::{Value, json};

    fn accounts() -> Accounts {
        let preparing = Microjoules(0);
        let energy = |active, base| FunctionEnergy { active: Microjoules(active), preparing, base: Microjoules(base) };
        Accounts {
            total: Microjoules(9_007_199_254_740_993),
            functions: vec![energy(1, 2), energy(0, 0), energy(3, 0)],
            runtime: Microjoules(5),
            host: Microjoules(9_007_199_254_740_900),
            base: Microjoules(80),
            gap: Microjoules(4),
            ..Accounts::default()
        }
    }

    /// Has three accounts of functions that are not served.
    fn registry() -> Registry {
        let registry = Registry::default();
        for name in ["failed", "idle", "served"] {
            registry.account(&name.parse().unwrap(), crate::functions::Version::of(b"", "")).unwrap();
        }
        registry
    }

    fn report(domain: Domain, learned: Option<Learned>) -> ZoneReport {
        ZoneReport {
            source: SourceKind::Powercap,
            zone: Zone::new(domain, "0"),
            accounts: accounts(),
            watts: Some(Watts(2.5)),
            base: None,
            base_uncertainty: None,
            learned,
            failure: None,
        }
    }

    fn zone(report: &ZoneReport, present: SourceKind) -> Value {
        serde_json::to_value(super::zone(report, present, &Registry::default())).unwrap()
    }

    #[test]
    fn energies_beyond_the_precision_of_floats_are_exact() {
        let shown = totals(&accounts(), &registry());
        assert_eq!(shown.total_microjoules, 9_007_199_254_740_993);
        let accounts = [shown.function_microjoules, shown.runtime_microjoules, shown.host_microjoules];
        let sum: u64 = accounts.iter().sum::<u64>() + shown.base_microjoules + shown.gap_microjoules;
        assert_eq!(sum, 9_007_199_254_740_993);
        assert_eq!(shown.functions.keys().collect::<Vec<_>>(), ["failed", "served"]);
        assert_eq!((shown.functions["failed"].base_microjoules, shown.functions["served"].active_joules), (2, 3e-6));
    }

    #[test]
    fn zones_are_added_account_by_account() {
        let short = Accounts { functions: vec![FunctionEnergy::default()], ..Accounts::default() };
        let (one, two) = (accounts(), accounts());
        let sums: Accounts = [&short, &one, &two].into_iter().sum();
        assert_eq!((sums.functions[2].active, sums.gap), (Microjoules(6), Microjoules(8)));
        assert_eq!(residual(&sums), 0);
    }

    #[test]
    fn what_versions_have_in_common_adds_up_and_the_own_of_their_calls_averages_out() {
        let uncertainty = Uncertainty { common: Joules(0.3), own: Joules(0.4), source: Joules(0.1) };
        let mut sums = SettledSums { calls: 2, active: Microjoules(2_000_000), uncertainty };
        sums += SettledSums { uncertainty: Uncertainty { own: Joules(0.3), ..uncertainty }, ..sums };
        assert_eq!(
            serde_json::to_value(settled(sums)).unwrap(),
            json!({
                "settled": 4, "active_microjoules": 4_000_000, "active_joules": 4.0,
                "active_joules_uncertainty": 0.806_225_775,
                "uncertainty_parts": { "common_joules": 0.6, "own_joules": 0.5, "source_joules": 0.2 },
            })
        );
    }

    #[test]
    fn unknown_members_of_a_zone_are_null_with_a_reason() {
        let shown = zone(&report(Domain::Package, None), SourceKind::Powercap);
        for member in ["base_watts", "base_watts_uncertainty"] {
            assert!(shown[member].is_null() && shown["reasons"][member] == NO_BASE, "{shown}");
        }
        let nothing = json!({
            "base_watts": null, "state": null, "coefficients": [], "learned_since": null, "reason": format!("{NO_BASE}; {NOT_LEARNED}"),
        });
        assert_eq!(shown["calibration"], nothing);
        assert_eq!((&shown["watts_now"], &shown["residual_microjoules"]), (&2.5.into(), &0.into()));
        let standing_by = ZoneReport { watts: None, ..report(Domain::Package, None) };
        let shown = zone(&standing_by, SourceKind::Model);
        assert_eq!((&shown["watts_now"], &shown["reasons"]["watts_now"]), (&Value::Null, &STANDS_BY.into()));
        let psys = zone(&report(Domain::Psys, None), SourceKind::Powercap);
        assert!(psys["accounts"].is_null() && psys["reasons"]["accounts"] == NOT_ADDED, "{psys}");
        assert_eq!(psys["total_microjoules"], 9_007_199_254_740_993_u64);
    }

    #[test]
    fn coefficients_have_their_units_and_functions() {
        let coefficient = |feature, value| Coefficient { feature, value, deviation: 0.5 };
        let learned = Learned {
            state: LearningState::Frozen,
            coefficients: vec![
                coefficient(Feature::Instructions, 2e-10),
                coefficient(Feature::Function(FunctionId(7)), -0.25),
            ],
        };
        let known = ZoneReport {
            base: Some(Watts(1.5)),
            base_uncertainty: Some(Watts(0.2)),
            ..report(Domain::Dram, Some(learned))
        };
        let shown = zone(&known, SourceKind::Powercap);
        assert!(shown.get("reasons").is_none(), "{shown}");
        assert_eq!((&shown["base_watts"], &shown["base_watts_uncertainty"]), (&1.5.into(), &0.2.into()));
        assert_eq!(
            shown["calibration"],
            json!({ "base_watts": 1.5, "state": "frozen", "learned_since": null, "coefficients": [
                { "feature": "instructions", "value": 2e-10, "unit": "joules_per_instruction", "deviation": 0.5 },
                { "feature": "function", "function": "other", "value": -0.25, "unit": "watts", "deviation": 0.5 },
            ]})
        );
    }
}
