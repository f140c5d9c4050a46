//! The whole ledger as JSON: what was measured, who was charged with it, and what is known of the machine. Energies are
//! exact: a whole number of microjoules, and beside it the same in joules.

use std::collections::BTreeMap;

use humantime::format_rfc3339_micros;
use nebula_metering::source::SourceKind;
use nebula_metering::{
    Accounts, Coefficient, Feature, FunctionEnergy, FunctionId, Learned, Microjoules, Watts, ZoneReport,
};
use serde_json::{Map, Value, json};

use crate::functions::Registry;
use crate::http::app::App;
use crate::http::read::quota::of_power;
use crate::meter::{EnergyMeter, OFF, Off, Snapshot, SourceNow};

const STANDS_BY: &str = "another source is read at present";
const NO_WINDOW: &str = "no window with energy has closed yet";
const NOT_CLOSED: &str = "no window has closed yet";
const NO_BASE: &str = "the machine has not been quiet yet";
const NOT_ADDED: &str =
    "it lies inside other zones or overlaps with them: it is shown, never added, and charges nobody";
const NOT_LEARNED: &str = "nothing has been learned yet";

impl App {
    /// The ledger as it stands.
    pub(crate) fn ledger(&self) -> Value {
        let meter = match self.invoker.metering().meter() {
            Ok(meter) => meter,
            Err(off) => return self.with_carbon(nothing(off)),
        };
        let snapshot = meter.snapshot();
        let kind = snapshot.source.kind;
        let additive = |of: SourceKind| {
            let zones = snapshot.zones.iter().filter(move |zone| zone.source == of && zone.zone.is_additive());
            zones.map(|zone| &zone.accounts)
        };
        // What one source has measured is not added to what another has modelled.
        let by_source: BTreeMap<_, _> = snapshot
            .zones
            .iter()
            .map(|zone| (zone.source.as_str(), totals(&additive(zone.source).sum(), &self.registry)))
            .collect();
        let sums: Accounts = additive(kind).sum();
        let gaps: BTreeMap<_, _> =
            snapshot.gaps.iter().map(|(reason, time)| (reason.as_str(), time.as_secs_f64())).collect();
        self.with_carbon(json!({
            "source": source(&snapshot.source),
            "window_seconds": meter.window().as_secs_f64(),
            "zones": snapshot.zones.iter().map(|report| zone(report, kind, &self.registry)).collect::<Vec<_>>(),
            "sums": totals(&sums, &self.registry),
            "sums_by_source": by_source,
            "residual_microjoules": residual(&sums),
            "calls": calls(&self.registry),
            "gaps": gaps,
            "meter": own_cost(meter, &snapshot),
            "power_cap": self.invoker.power().map(of_power),
        }))
    }
}

/// The accounts alone, over the zones of the source that is read.
pub(crate) fn accounts(snapshot: &Snapshot, registry: &Registry) -> Value {
    let kind = snapshot.source.kind;
    let zones = snapshot.zones.iter().filter(|zone| zone.source == kind && zone.zone.is_additive());
    let mut shown = totals(&zones.map(|zone| &zone.accounts).sum(), registry);
    shown["source"] = kind.as_str().into();
    shown["calls"] = calls(registry);
    shown
}

/// The settled calls of each function since the daemon started, whatever source it read: their number and active energy.
fn calls(registry: &Registry) -> Value {
    let mut functions = BTreeMap::<String, (u64, Microjoules)>::new();
    for revision in registry.revisions().values() {
        let (count, active) = revision.metrics.settled();
        let function = functions.entry(revision.name.to_string()).or_default();
        function.0 += count;
        function.1 += active;
    }
    let called = functions.into_iter().filter(|(_, (count, _))| *count > 0);
    let shown = called.map(|(name, (count, active))| {
        let mut calls = Map::new();
        calls.insert("settled".into(), count.into());
        put_energy(&mut calls, "active", active);
        (name, calls.into())
    });
    Value::Object(shown.collect())
}

/// The ledger of a daemon that measures nothing.
fn nothing(off: Off) -> Value {
    let source =
        json!({ "kind": OFF, "measured": false, "description": null, "reason": off.to_string(), "since": null });
    let mut ledger = json!({ "source": source, "zones": [], "reason": off.to_string() });
    for name in
        ["window_seconds", "sums", "sums_by_source", "residual_microjoules", "calls", "gaps", "meter", "power_cap"]
    {
        ledger[name] = Value::Null;
    }
    ledger
}

fn source(source: &SourceNow) -> Value {
    json!({
        "kind": source.kind.as_str(),
        "measured": source.kind.is_measured(),
        "description": source.description,
        "reason": source.reason,
        "since": format_rfc3339_micros(source.since).to_string(),
    })
}

/// One zone; `present` is the source that is read.
fn zone(report: &ZoneReport, present: SourceKind, registry: &Registry) -> Value {
    let ZoneReport { source, zone, accounts, watts, base, learned, failure } = report;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    let mut reasons = Map::new();
    let mut missing = |name: &str, why: &str| drop(reasons.insert(name.to_owned(), why.into()));
    put("zone", zone.domain.to_string().into());
    put("package", (!zone.package.is_empty()).then_some(&*zone.package).into());
    put("source", source.as_str().into());
    put("measured", source.is_measured().into());
    put("additive", zone.is_additive().into());
    put("watts_now", watts.map(|watts| watts.0).into());
    put("base_watts", base.map(|base| base.0).into());
    put("failure", failure.as_deref().into());
    if zone.package.is_empty() {
        missing("package", "the zone belongs to no package");
    }
    if watts.is_none() {
        missing("watts_now", if *source == present { NO_WINDOW } else { STANDS_BY });
    }
    if zone.is_additive() {
        put("accounts", totals(accounts, registry));
        put("residual_microjoules", residual(accounts));
        put("calibration", calibration(*base, learned.as_ref(), registry));
        if base.is_none() {
            missing("base_watts", NO_BASE);
        }
    } else {
        for name in ["accounts", "residual_microjoules", "calibration"] {
            put(name, Value::Null);
            missing(name, NOT_ADDED);
        }
        if base.is_none() {
            missing("base_watts", NOT_ADDED);
        }
    }
    put_energy(&mut shown, "total", accounts.total);
    if !reasons.is_empty() {
        shown.insert("reasons".into(), reasons.into());
    }
    shown.into()
}

/// The accounts of a zone, or their sums over several.
fn totals(accounts: &Accounts, registry: &Registry) -> Value {
    let mut shown = Map::new();
    for (name, energy) in [("total", accounts.total)].into_iter().chain(accounts.named()) {
        put_energy(&mut shown, name, energy);
    }
    // All versions of a function together.
    let mut functions = BTreeMap::<_, FunctionEnergy>::new();
    for (id, energy) in (0..).map(FunctionId).zip(&accounts.functions) {
        if *energy != FunctionEnergy::default() {
            *functions.entry(name(id, registry)).or_default() += *energy;
        }
    }
    let account = |(name, energy): (String, FunctionEnergy)| {
        let mut account = Map::new();
        put_energy(&mut account, "active", energy.active);
        put_energy(&mut account, "base", energy.base);
        (name, account)
    };
    let functions: BTreeMap<_, _> = functions.into_iter().map(account).collect();
    shown.insert("functions".into(), json!(functions));
    shown.into()
}

/// Measured less charged. It is zero, and anyone who fears it is not can see.
fn residual(accounts: &Accounts) -> Value {
    i64::try_from(accounts.residual()).unwrap_or(i64::MAX).into()
}

fn calibration(base: Option<Watts>, learned: Option<&Learned>, registry: &Registry) -> Value {
    let coefficient = |&Coefficient { feature, value, deviation }: &Coefficient| {
        let mut shown = json!({
            "feature": feature.as_str(), "value": value, "unit": feature.unit(), "deviation": deviation,
        });
        if let Feature::Function(id) = feature {
            shown["function"] = name(id, registry).into();
        }
        shown
    };
    let coefficients = learned.map_or(&[][..], |learned| &learned.coefficients);
    let mut shown = json!({
        "base_watts": base.map(|base| base.0),
        "state": learned.map(|learned| learned.state.as_str()),
        "coefficients": coefficients.iter().map(coefficient).collect::<Vec<_>>(),
    });
    let missing = [(base.is_none(), NO_BASE), (learned.is_none(), NOT_LEARNED)];
    let why: Vec<_> = missing.iter().filter(|(missing, _)| *missing).map(|(_, why)| *why).collect();
    if !why.is_empty() {
        shown["reason"] = why.join("; ").into();
    }
    shown
}

fn own_cost(meter: &EnergyMeter, snapshot: &Snapshot) -> Value {
    let cost = snapshot.own_cost;
    let mut shown = json!({
        "cpu_seconds": cost.cpu().as_secs_f64(),
        "share_of_one_processor": cost.share(),
        "share_of_one_processor_lately": cost.share_lately(),
        "postings_dropped": snapshot.postings_dropped,
        "work_counters": ["cpu_time"],
    });
    let mut reasons = Map::new();
    match meter.no_events() {
        Some(why) => drop(reasons.insert("work_counters".into(), why.into())),
        None => shown["work_counters"] = json!(["cpu_time", "instructions", "cycles", "cache_misses"]),
    }
    if cost.share().is_none() {
        for name in ["share_of_one_processor", "share_of_one_processor_lately"] {
            reasons.insert(name.into(), NOT_CLOSED.into());
        }
    }
    if !reasons.is_empty() {
        shown["reasons"] = reasons.into();
    }
    shown
}

fn name(id: FunctionId, registry: &Registry) -> String {
    // A function that has gone keeps its account.
    registry.revision(id).map_or_else(|| format!("#{}", id.0), |revision| revision.name.to_string())
}

fn put_energy(object: &mut Map<String, Value>, name: &str, energy: Microjoules) {
    object.insert(format!("{name}_microjoules"), energy.0.into());
    object.insert(format!("{name}_joules"), energy.joules().0.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use nebula_metering::{Domain, LearningState, Zone};

    fn accounts() -> Accounts {
        let energy = |active, base| FunctionEnergy { active: Microjoules(active), base: Microjoules(base) };
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

    fn report(domain: Domain, learned: Option<Learned>) -> ZoneReport {
        ZoneReport {
            source: SourceKind::Powercap,
            zone: Zone::new(domain, "0"),
            accounts: accounts(),
            watts: Some(Watts(2.5)),
            base: None,
            learned,
            failure: None,
        }
    }

    #[test]
    fn energies_are_exact_beyond_what_a_float_can_hold() {
        let shown = totals(&accounts(), &Registry::default());
        assert_eq!(shown["total_microjoules"], 9_007_199_254_740_993_u64);
        let sum: u64 = ["function", "runtime", "host", "base", "gap"]
            .map(|account| shown[format!("{account}_microjoules")].as_u64().unwrap())
            .iter()
            .sum();
        assert_eq!(sum, 9_007_199_254_740_993);
        let functions = shown["functions"].as_object().unwrap();
        assert_eq!(functions.keys().collect::<Vec<_>>(), ["#0", "#2"]);
        assert_eq!(functions["#0"]["base_microjoules"], 2);
        assert_eq!(functions["#2"]["active_joules"], 3e-6);
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
    fn what_is_not_known_of_a_zone_is_null_with_its_reason() {
        let shown = zone(&report(Domain::Package, None), SourceKind::Powercap, &Registry::default());
        assert!(shown["base_watts"].is_null() && shown["reasons"]["base_watts"] == NO_BASE, "{shown}");
        let nothing = json!({
            "base_watts": null, "state": null, "coefficients": [], "reason": format!("{NO_BASE}; {NOT_LEARNED}"),
        });
        assert_eq!(shown["calibration"], nothing);
        assert_eq!((&shown["watts_now"], &shown["residual_microjoules"]), (&2.5.into(), &0.into()));
        let standing_by = ZoneReport { watts: None, ..report(Domain::Package, None) };
        let shown = zone(&standing_by, SourceKind::Model, &Registry::default());
        assert_eq!((&shown["watts_now"], &shown["reasons"]["watts_now"]), (&Value::Null, &STANDS_BY.into()));
        let psys = zone(&report(Domain::Psys, None), SourceKind::Powercap, &Registry::default());
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
        let known = ZoneReport { base: Some(Watts(1.5)), ..report(Domain::Dram, Some(learned)) };
        let shown = zone(&known, SourceKind::Powercap, &Registry::default());
        assert!(shown.get("reasons").is_none(), "{shown}");
        assert_eq!(
            shown["calibration"],
            json!({ "base_watts": 1.5, "state": "frozen", "coefficients": [
                { "feature": "instructions", "value": 2e-10, "unit": "joules_per_instruction", "deviation": 0.5 },
                { "feature": "function", "function": "#7", "value": -0.25, "unit": "watts", "deviation": 0.5 },
            ]})
        );
    }
}
