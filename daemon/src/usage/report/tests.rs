//! Reports of days whose figures are known.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nebula_metering::source::SourceKind;
use nebula_metering::{Joules, Uncertainty};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::made_up::MadeUp;
use super::super::{Bounds, EnergyRate, FILE, GRAMS, Hour, Reading, Store};
use super::*;
use crate::outcome::Outcome;
use crate::units::Policy;

/// 2026-11-21, 11:00 UTC.
const HOUR: i64 = 498_683;

struct Days {
    _folder: TempDir,
    store: Store,
    connection: Connection,
}

impl Days {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (store, connection) = (Store::open(&path).unwrap(), Store::read(&path).unwrap());
        Self { _folder: folder, store, connection }
    }

    fn add(&mut self, hour: i64, earlier: &Reading, daemon: &MadeUp, rates: &[EnergyRate]) {
        let a_minute_later = Hour(hour).begin() + Duration::from_secs(60);
        self.store.add(&daemon.pending(hour, earlier, rates), a_minute_later).unwrap();
    }

    fn report(&mut self, since: Since, by: By, policy: Policy) -> Report {
        report_of(&mut self.connection, since, by, policy).unwrap()
    }
}

fn daemon(source: SourceKind) -> MadeUp {
    let mut daemon = MadeUp::new(source, &[("fibonacci", "0123456789abcdef"), ("hello", "fedcba9876543210")]);
    // A third is base; of the rest a half is the function's.
    daemon.window([9_000_000, 900_000, 0], 0, [2_000_000_000, 1_000_000_000, 1_000_000_000]);
    daemon.window([3_000, 300, 0], 1, [1_000_000, 500_000, 500_000]);
    daemon.calls(0, Outcome::Ok, 90);
    daemon.calls(0, Outcome::Trap, 10);
    daemon.calls(0, Outcome::Rejected, 5);
    daemon.calls(1, Outcome::Ok, 1);
    let uncertainty = |common, own| Uncertainty { common: Joules(common), own: Joules(own), source: Joules(0.0) };
    (0..100).for_each(|_| daemon.settle(0, uncertainty(0.004, 0.03)));
    daemon.settle(1, uncertainty(0.0003, 0.0004));
    daemon
}

/// 400 g/kWh and 0.36 EUR/kWh.
fn rates() -> Vec<EnergyRate> {
    vec![(GRAMS.into(), 400.0 / 3.6e6), ("EUR".into(), 1e-7)]
}

#[test]
fn a_row_sums_up_what_a_function_used() {
    let mut days = Days::new();
    days.add(HOUR, &Reading::default(), &daemon(SourceKind::Powercap), &rates());
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    let [fibonacci, hello] = &report.rows[..] else { panic!("{report:?}") };
    assert_eq!(fibonacci.function.as_deref(), Some("fibonacci"));
    assert_eq!((fibonacci.active_microjoules, fibonacci.base_microjoules), (Some(3_300_000), Some(1_650_000)));
    assert_eq!((fibonacci.active_joules, fibonacci.energy_joules), (Some(3.3), Some(3.3)));
    assert_eq!((fibonacci.calls, fibonacci.errors, fibonacci.outcomes.rejected), (100, 10, 5));
    assert_eq!((fibonacci.joules_per_call, fibonacci.cpu_seconds), (Some(0.033), Some(2.0)));
    let near = |found: Option<f64>, expected: f64| (found.unwrap() / expected - 1.0).abs() < 1e-6;
    assert!(near(fibonacci.kwh, 3.3 / 3.6e6) && near(fibonacci.gco2e, 3.3 / 3.6e6 * 400.0), "{fibonacci:?}");
    assert!(near(fibonacci.cost, 3.3e-7) && fibonacci.cost_covers == Some(1.0), "{fibonacci:?}");
    assert!(near(fibonacci.share, 3_300_000.0 / 9_903_300.0), "{fibonacci:?}");
    assert_eq!(hello.joules_per_call, Some(0.0011));
    let [machine] = &report.machine[..] else { panic!("{report:?}") };
    let Machine { function_microjoules, runtime_microjoules, host_microjoules, base_microjoules, .. } = *machine;
    assert_eq!(
        function_microjoules + runtime_microjoules + host_microjoules + base_microjoules,
        machine.total_microjoules
    );
    assert_eq!(report.total.active_microjoules, Some(function_microjoules));
    assert_eq!(report.currency.as_deref(), Some("EUR"));
    assert_eq!(report.until.as_deref(), Some("2026-11-21T11:01:00Z"));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let usage = days.report(Since::Ever, By::Function, Policy::Usage);
    assert_eq!(usage.rows[0].energy_joules, Some(4.95));
    assert!(near(usage.rows[0].gco2e, 4.95 / 3.6e6 * 400.0));
}

#[test]
fn uncertainties_add_up_part_by_part() {
    let mut days = Days::new();
    let mut daemon = daemon(SourceKind::Powercap);
    days.add(HOUR, &Reading::default(), &daemon, &rates());
    let earlier = daemon.reading.clone();
    daemon.window([3_000, 0, 0], 1, [1_000, 0, 0]);
    daemon.settle(1, Uncertainty { common: Joules(0.1), own: Joules(0.2), source: Joules(0.3) });
    days.add(HOUR + 1, &earlier, &daemon, &rates());
    let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-9;
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    let parts = report.rows[0].uncertainty_parts.unwrap();
    // A hundred calls: what they have in common a hundred times, what is their own ten times.
    assert!(near(Some(parts.common_joules), 0.4) && near(Some(parts.own_joules), 0.3), "{parts:?}");
    assert!(near(report.rows[0].active_joules_uncertainty, 0.5));
    let parts = report.total.uncertainty_parts.unwrap();
    assert!(near(Some(parts.common_joules), 0.4 + 0.0003 + 0.1) && near(Some(parts.source_joules), 0.3), "{parts:?}");
    assert!(near(Some(parts.own_joules), (0.3_f64.powi(2) + 0.0004_f64.powi(2) + 0.2_f64.powi(2)).sqrt()), "{parts:?}");
    let hours = days.report(Since::Ever, By::Hour, Policy::Active);
    assert!(near(hours.rows[1].active_joules_uncertainty, 0.14_f64.sqrt()), "{hours:?}");
}

#[test]
fn energy_whose_calls_are_not_settled_yet_has_no_uncertainty() {
    let mut days = Days::new();
    let mut daemon = MadeUp::new(SourceKind::Powercap, &[("f", "1")]);
    daemon.window([3_000, 0, 0], 0, [1_000, 0, 0]);
    days.add(HOUR, &Reading::default(), &daemon, &[]);
    let row = days.report(Since::Ever, By::Function, Policy::Active).rows.remove(0);
    assert_eq!(
        (row.active_microjoules, row.active_joules_uncertainty, row.uncertainty_parts),
        (Some(2_000), None, None)
    );
}

#[test]
fn joules_per_call_leave_out_preparing() {
    let mut days = Days::new();
    let mut daemon = MadeUp::new(SourceKind::Powercap, &[("f", "1"), ("f", "2")]);
    daemon.window([3_000_000, 0, 0], 0, [1_000, 0, 0]);
    daemon.window([300_000, 0, 0], 1, [1_000, 0, 0]);
    daemon.preparing([30_000_000, 0, 0], 1, [1_000, 0, 0]);
    (0..2).for_each(|version| daemon.calls(version, Outcome::Ok, 100));
    days.add(HOUR, &Reading::default(), &daemon, &rates());
    for (policy, per_call) in [(Policy::Active, [0.02, 0.002]), (Policy::Usage, [0.03, 0.003])] {
        let mut rows = days.report(Since::Ever, By::Version, policy).rows;
        rows.sort_by(|a, b| a.version.cmp(&b.version));
        assert_eq!([rows[0].joules_per_call, rows[1].joules_per_call], per_call.map(Some));
        let billed = 100.0 * per_call[1] + 20.0;
        assert_eq!((rows[1].preparing_joules, rows[1].energy_joules), (Some(20.0), Some(billed)));
        assert!((rows[1].gco2e.unwrap() / (billed / 3.6e6 * 400.0) - 1.0).abs() < 1e-6, "{:?}", rows[1]);
    }
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    assert_eq!(report.machine[0].function_microjoules, 2_200_000 + 20_000_000);
}

#[test]
fn unknown_figures_are_null_and_a_note_says_why() {
    let mut days = Days::new();
    let mut off = daemon(SourceKind::Powercap);
    off.reading.zones.clear();
    off.reading.metered = false;
    days.add(HOUR, &Reading::default(), &off, &rates());
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    let row = &report.rows[0];
    assert_eq!((row.active_joules, row.energy_joules, row.kwh, row.joules_per_call), (None, None, None, None));
    assert_eq!((row.gco2e, row.cost, row.cpu_seconds, row.share, row.calls), (None, None, None, None, 100));
    assert_eq!((row.active_joules_uncertainty, row.uncertainty_parts), (None, None));
    assert_eq!(report.notes, ["101 calls ran while nothing was measured: their joules are not known"]);
    // Then it is measured, and the intensity is not known at first.
    let mut on = daemon(SourceKind::Model);
    days.add(HOUR, &Reading::default(), &on, &[]);
    let half = on.reading.clone();
    on.window([9_000_000, 900_000, 0], 0, [2_000_000_000, 1_000_000_000, 1_000_000_000]);
    days.add(HOUR + 1, &half, &on, &rates());
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    let row = &report.rows[0];
    assert_eq!(
        (row.function.as_deref(), row.gco2e_covers, row.calls, row.unmeasured_calls),
        (Some("fibonacci"), Some(0.5), 200, 100)
    );
    assert_eq!(row.joules_per_call, Some(0.066));
    let notes = report.notes.join("\n");
    for note in [
        "model: the joules are an estimate, not measured, and rank by CPU time",
        "101 calls ran while nothing was measured",
        "gCO2e covers 50.0 % of the joules; for the rest no carbon intensity was known (`carbon.intensity`)",
        "cost in EUR covers 50.0 % of the joules; for the rest no price was given (`price`)",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
    }
    // Without any rows, energy is not known.
    let nothing = days.report(Since::Time(Hour(HOUR + 9).begin()), By::Function, Policy::Active);
    assert_eq!((nothing.rows.len(), nothing.total.active_joules, nothing.total.share), (0, None, None));
}

#[test]
fn sources_are_listed_apart_and_a_note_names_them() {
    let mut days = Days::new();
    days.add(HOUR, &Reading::default(), &daemon(SourceKind::Powercap), &rates());
    days.add(HOUR, &Reading::default(), &daemon(SourceKind::Model), &rates());
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    let sources: Vec<_> = report.rows[0].sources.iter().map(|part| (&*part.source, part.active_microjoules)).collect();
    assert_eq!(sources, [("model", 3_300_000), ("powercap", 3_300_000)]);
    assert_eq!(report.rows[0].active_joules, Some(6.6));
    let measured: Vec<_> = report.machine.iter().map(|machine| (&*machine.source, machine.measured)).collect();
    assert_eq!(measured, [("model", false), ("powercap", true)]);
    assert!(
        report.notes.contains(&"joules of several sources are added: model, powercap".into()),
        "{:?}",
        report.notes
    );
}

#[test]
fn rows_are_by_version_or_by_hour_since_a_time() {
    let mut days = Days::new();
    let mut daemon = daemon(SourceKind::Powercap);
    days.add(HOUR, &Reading::default(), &daemon, &rates());
    let earlier = daemon.reading.clone();
    daemon.window([3_000_000, 0, 0], 1, [1_000_000, 0, 0]);
    days.add(HOUR + 2, &earlier, &daemon, &rates());
    let versions = days.report(Since::Ever, By::Version, Policy::Active);
    let names: Vec<_> = versions.rows.iter().map(|row| row.version.as_deref().unwrap()).collect();
    assert_eq!(names, ["0123456789abcdef", "fedcba9876543210"]);
    let hours = days.report(Since::Ever, By::Hour, Policy::Active);
    let shown: Vec<_> = hours.rows.iter().map(|row| row.hour.as_deref().unwrap()).collect();
    assert_eq!(shown, ["2026-11-21T11:00:00Z", "2026-11-21T13:00:00Z"]);
    // The whole hour of that time counts, and the one before does not.
    let half_past = Hour(HOUR + 2).begin() + Duration::from_secs(1800);
    let later = days.report(Since::Time(half_past), By::Hour, Policy::Active);
    assert_eq!((later.rows.len(), later.since.as_deref()), (1, Some("2026-11-21T13:00:00Z")));
    assert_eq!(later.total.active_microjoules, Some(2_000_000));
    assert_eq!(later.rows[0].share, Some(2.0 / 3.0));
    assert_eq!(days.report(Since::Time(Hour(HOUR + 3).begin()), By::Hour, Policy::Active).rows.len(), 0);
}

#[test]
fn folded_hours_are_one_row_and_only_in_a_report_of_all_hours() {
    let mut days = Days::new();
    days.add(HOUR, &Reading::default(), &daemon(SourceKind::Powercap), &rates());
    days.add(HOUR + 5, &Reading::default(), &daemon(SourceKind::Powercap), &rates());
    days.store.keep_within(Bounds { hours: 2, rows: 10_000 }, Hour(HOUR + 5)).unwrap();
    let all = days.report(Since::Ever, By::Hour, Policy::Active);
    let shown: Vec<_> = all.rows.iter().map(|row| row.hour.as_deref().unwrap()).collect();
    assert_eq!(shown, ["before 2026-11-21T14:00:00Z", "2026-11-21T16:00:00Z"]);
    let week = days.report(Since::Time(Hour(HOUR - 24).begin()), By::Hour, Policy::Active);
    assert_eq!(week.rows.len(), 1);
    assert!(week.notes[0].contains("which --since all includes"), "{:?}", week.notes);
}

#[test]
fn rows_beyond_the_bound_become_one_and_the_total_stays_right() {
    let mut days = Days::new();
    let names: Vec<_> = (0..ROWS_MAX + 5).map(|name| format!("f{name}")).collect();
    let versions: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let mut daemon = MadeUp::new(SourceKind::Powercap, &versions);
    (0..u32::try_from(versions.len()).unwrap()).for_each(|function| daemon.calls(function, Outcome::Ok, 1));
    days.add(HOUR, &Reading::default(), &daemon, &[]);
    let report = days.report(Since::Ever, By::Function, Policy::Active);
    assert_eq!(report.rows.len(), ROWS_MAX + 1);
    assert_eq!((report.rows[ROWS_MAX].function.as_deref(), report.rows[ROWS_MAX].calls), (Some("other"), 5));
    assert_eq!(report.total.calls, ROWS_MAX as u64 + 5);
}

fn known() -> Report {
    let mut days = Days::new();
    let mut daemon = daemon(SourceKind::Model);
    daemon.preparing([6_000, 600, 0], 1, [1_000_000, 500_000, 500_000]);
    days.add(HOUR, &Reading::default(), &daemon, &rates());
    days.report(Since::Time(Hour(HOUR).begin()), By::Version, Policy::Active)
}

#[test]
fn a_table_is_aligned_with_units_in_its_headings() {
    let text = String::from_utf8(ReportFormat::Table.write(&known(), None).unwrap()).unwrap();
    let expected = "\
Energy of functions since 2026-11-21T11:00:00Z, as stored until 2026-11-21T11:01:00Z; policy active

FUNCTION   VERSION       ACTIVE J        ±  PREPARING J     BASE J       kWh      gCO2e  COST EUR  CALLS  ERRORS    J/CALL     CPU s  SHARE %  SOURCE
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
fibonacci  0123456789ab     3.300     0.50            0      1.650   9.17e-7  0.0003667   3.30e-7    100      10   0.03300     2.000    33.30  model
hello      fedcba987654  0.001100  0.00050     0.002200  0.0005500  9.17e-10    3.66e-7         0      1       0  0.001100  0.001000  0.03330  model
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
TOTAL                       3.301     0.50     0.002200      1.651   9.18e-7  0.0003670   3.30e-7    101      10   0.03268     2.001    33.33  model

model: the joules are an estimate, not measured, and rank by CPU time
";
    assert_eq!(text, expected);
}

#[test]
fn a_table_is_no_wider_than_the_terminal() {
    let report = known();
    for width in [200, 120, 100, 80, 60] {
        let text = String::from_utf8(ReportFormat::Table.write(&report, Some(width)).unwrap()).unwrap();
        let rows = text.lines().skip(2).take(6);
        let widest = rows.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}:\n{text}");
        let all = text.contains("gCO2e") && text.contains("SOURCE");
        assert!(all || text.contains("--format csv shows it"), "{text}");
        assert!(text.contains("ACTIVE J") && text.contains("CALLS"), "{text}");
    }
}

#[test]
fn csv_has_a_line_for_each_row_and_leaves_unknown_figures_empty() {
    let mut report = known();
    report.rows[1].gco2e = None;
    let text = String::from_utf8(ReportFormat::Csv.write(&report, None).unwrap()).unwrap();
    let mut read = csv::Reader::from_reader(text.as_bytes());
    let heads = read.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = read.records().map(Result::unwrap).collect();
    let cell = |row: usize, head: &str| {
        rows[row].get(heads.iter().position(|known| known == head).unwrap()).unwrap().to_owned()
    };
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (cell(0, "function"), cell(0, "active_joules"), cell(0, "currency")),
        ("fibonacci".into(), "3.3".into(), "EUR".into())
    );
    assert_eq!((cell(1, "gco2e"), cell(1, "hour")), (String::new(), String::new()));
    assert_eq!(
        (cell(2, "function"), cell(2, "calls"), cell(2, "source")),
        ("TOTAL".into(), "101".into(), "model".into())
    );
}

#[test]
fn json_reads_back_as_the_same_report() {
    let report = known();
    let json = ReportFormat::Json.write(&report, None).unwrap();
    let read: Report = serde_json::from_slice(&json).unwrap();
    // The last bit of a float may be lost; what is exact is a whole number.
    assert_eq!(read.total.sources, report.total.sources);
    assert_eq!((&read.machine, &read.notes, read.total.calls), (&report.machine, &report.notes, 101));
    assert_eq!(ReportFormat::Table.write(&read, None).unwrap(), ReportFormat::Table.write(&report, None).unwrap());
    let nothing: Report = serde_json::from_slice(
        &ReportFormat::Json.write(&Days::new().report(Since::Ever, By::Hour, Policy::Usage), None).unwrap(),
    )
    .unwrap();
    assert_eq!((nothing.rows.len(), nothing.until), (0, None));
    assert_eq!(Hour::of(UNIX_EPOCH), Hour(1), "no moment falls in the hour of folded hours");
    assert!(Hour(i64::MAX).begin() > SystemTime::now());
}
