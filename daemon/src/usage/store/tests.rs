//! What is stored is all that was measured, whatever happens to the daemon and the file.

use std::fs;
use std::time::UNIX_EPOCH;

use nebula_metering::source::SourceKind;
use nebula_metering::{FunctionEnergy, Joules, Uncertainty};
use proptest::prelude::*;
use rusqlite::OptionalExtension;
use tempfile::TempDir;

use super::super::made_up::MadeUp;
use super::super::{By, FILE, Footprint, GRAMS, Hour, OTHER, Pending, Reading, Since, report_of};
use super::*;
use crate::outcome::Outcome;
use crate::units::Policy;

const NOW: SystemTime = UNIX_EPOCH;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    (folder, path)
}

fn opened() -> (TempDir, Store) {
    let (folder, path) = folder();
    (folder, Store::open(&path).unwrap())
}

fn number(connection: &Connection, select: &str) -> i64 {
    connection.query_row(select, [], |row| row.get(0)).unwrap()
}

/// Zones and hours whose accounts do not add up.
fn unbalanced(connection: &Connection) -> i64 {
    number(
        connection,
        "SELECT COUNT(*) FROM zone_energy e WHERE total_uj <> runtime_uj + host_uj + base_uj + gap_uj + \
         (SELECT COALESCE(SUM(active_uj + preparing_uj), 0) FROM function_energy f WHERE f.hour = e.hour AND f.zone = e.zone)",
    )
}

fn totals(connection: &Connection) -> [i64; 3] {
    ["package", "dram", "core"].map(|zone| {
        let select = "SELECT COALESCE(SUM(e.total_uj), 0) FROM zone_energy e JOIN zone z ON z.id = e.zone WHERE z.zone";
        number(connection, &format!("{select} = '{zone}'"))
    })
}

/// Adds what a daemon has counted since it was started.
fn add(store: &mut Store, hour: i64, daemon: &MadeUp) {
    store.add(&daemon.pending(hour, &Reading::default(), &[]), NOW).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Windows, flushes, hours that pass, restarts and kills: what was flushed is there, and adds up.
    #[test]
    fn what_is_stored_adds_up_to_what_was_measured(
        steps in prop::collection::vec((0_u8..10, [0_u64..1000, 0..300, 0..500], 0_u32..3, [0_u64..50, 0..50, 0..50]), 1..60),
    ) {
        let (_folder, path) = folder();
        let versions = [("a", "1"), ("a", "2"), ("b", "1")];
        let start = || MadeUp::new(SourceKind::Powercap, &versions);
        let (mut store, mut daemon) = (Store::open(&path).unwrap(), start());
        let (mut last, mut pending, mut hour) = (Reading::default(), Pending::default(), 500_000);
        let mut flushed = [0; 3];
        let mut unflushed = [0; 3];
        for (what, energy, function, cpu) in steps {
            match what {
                0 => hour += 1,
                1 => {
                    // Killed: what was not flushed is gone.
                    (store, daemon, last, unflushed) = (Store::open(&path).unwrap(), start(), Reading::default(), [0; 3]);
                    pending.clear();
                }
                2..=4 => {
                    pending.add(Hour(hour), &last, &daemon.reading, &[]);
                    store.add(&pending, NOW).unwrap();
                    pending.clear();
                    last = daemon.reading.clone();
                    (0..3).for_each(|zone| flushed[zone] += std::mem::take(&mut unflushed[zone]));
                }
                5 => drop(store.keep_within(Bounds { hours: 1, rows: 1000 }, Hour(hour)).unwrap()),
                _ => {
                    match what {
                        6 => daemon.preparing(energy, function, cpu),
                        _ => daemon.window(energy, function, cpu),
                    }
                    (0..3).for_each(|zone| unflushed[zone] += i64::try_from(energy[zone]).unwrap());
                }
            }
        }
        drop(store);
        let connection = Store::read(&path).unwrap();
        prop_assert_eq!(totals(&connection), flushed);
        prop_assert_eq!(unbalanced(&connection), 0);
        let stored = Store::open(&path).unwrap().stored().unwrap();
        let accounts: u64 = stored.accounts.values().map(|energy| energy.0).sum();
        let zones: u64 = stored.zones.values().map(|energy| energy.0).sum();
        prop_assert_eq!(accounts, zones);
        prop_assert_eq!(i64::try_from(zones).unwrap(), flushed[0] + flushed[1]);
    }
}

#[test]
fn counters_continue_from_the_stored_sums() {
    let (_folder, path) = folder();
    let mut daemon = MadeUp::new(SourceKind::Model, &[("a", "1"), ("a", "2")]);
    daemon.window([1000, 100, 10], 0, [10, 0, 10]);
    daemon.window([2000, 0, 0], 1, [10, 5, 0]);
    daemon.preparing([3000, 100, 10], 1, [10, 5, 0]);
    daemon.calls(0, Outcome::Ok, 3);
    daemon.calls(1, Outcome::Ok, 4);
    daemon.calls(1, Outcome::Rejected, 1);
    let mut store = Store::open(&path).unwrap();
    let pending = daemon.pending(7, &Reading::default(), &[(GRAMS.into(), 0.5)]);
    store.add(&pending, NOW).unwrap();
    store.add(&pending, NOW).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o600, "only its owner may read it");
    let stored = store.stored().unwrap();
    assert_eq!(stored.calls["a"], [14, 0, 0, 0, 0, 0, 2]);
    assert_eq!((stored.cold_starts["a"], stored.cpu["a"]), (4, Duration::from_nanos(40)));
    let function = stored.functions[&["a", "package", "model"].map(Box::from)];
    assert_eq!(stored.accounts[&["function", "package", "model"].map(Box::from)], function.charged());
    assert_eq!(stored.zones[&["package", "0", "model"].map(Box::from)].0, 12_000);
    assert_eq!(stored.observed[&["core", "0", "model"].map(Box::from)].0, 40);
    let dram = stored.functions[&["a", "dram", "model"].map(Box::from)];
    // Half a gram a joule is 500 billionths a microjoule.
    let grams = [function.active + dram.active, function.preparing + dram.preparing, function.base + dram.base];
    assert_eq!(stored.grams["a"], grams.map(|energy| energy.0 * 500));
    assert!(grams[1].0 > 0);
}

/// What a daemon wrote when preparing a function was part of its active energy.
fn schema_1() -> (TempDir, PathBuf) {
    written(include_str!("../../../tests/fixtures/usage-schema-1.sql"))
}

/// What a daemon wrote when uncertainties were not stored.
fn schema_2() -> (TempDir, PathBuf) {
    written(include_str!("../../../tests/fixtures/usage-schema-2.sql"))
}

fn written(written: &str) -> (TempDir, PathBuf) {
    let (folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch(written).unwrap();
    (folder, path)
}

#[test]
fn a_file_of_schema_1_is_migrated_and_no_sum_changes() {
    let (_folder, path) = schema_1();
    let mut store = Store::open(&path).unwrap();
    assert_eq!(number(&store.connection, "PRAGMA user_version"), schema::VERSION);
    let check = |store: &Store, preparing: u64| {
        let (stored, footprint) = sums(store);
        let energy: FunctionEnergy = stored.functions.values().copied().sum();
        assert_eq!([energy.active.0, energy.base.0], [562_203, 336_267]);
        assert_eq!(energy.preparing.0, preparing);
        assert_eq!(footprint.amounts, [62_523, 0, 37_394]);
        assert_eq!((stored.calls["fib"][0], stored.calls["hello-world"][0]), (120, 10));
        assert!(
            stored.functions.keys().any(|[name, ..]| &**name == "broken"),
            "it failed to compile, and used energy all the same"
        );
        assert_eq!(unbalanced(&store.connection), 0);
    };
    check(&store, 0);
    // From here on, preparing is recorded apart, in existing rows and in new ones.
    let mut daemon = MadeUp::new(SourceKind::Simulated, &[("fib", "1")]);
    daemon.preparing([3000, 300, 0], 0, [10, 0, 0]);
    for hour in [498_880, 600_000] {
        add(&mut store, hour, &daemon);
    }
    check(&store, 2 * (2000 + 200));
    check(&Store::open(&path).unwrap(), 2 * (2000 + 200));
}

#[test]
fn a_file_of_schema_1_can_be_read_without_migrating_it() {
    let (_folder, path) = schema_1();
    let mut connection = Store::read(&path).unwrap();
    let report = |connection: &mut Connection| {
        let mut report = report_of(connection, Since::Ever, By::Version, Policy::Active).unwrap();
        assert!(report.notes.pop().unwrap().contains("the uncertainty of ACTIVE J was not recorded"));
        assert!(report.notes.pop().unwrap().contains("preparing functions was not recorded apart"));
        assert_eq!(report.total.active_joules_uncertainty, None);
        report
    };
    let before = report(&mut connection);
    assert_eq!(before.rows[0].function.as_deref(), Some("fib"));
    assert_eq!((before.rows[0].active_microjoules, before.rows[0].preparing_microjoules), (Some(351_964), Some(0)));
    assert_eq!(number(&connection, "PRAGMA user_version"), 1);
    drop(Store::open(&path).unwrap());
    assert_eq!(report(&mut Store::read(&path).unwrap()), before, "migrating changes nothing");
}

#[test]
fn uncertainties_are_unknown_in_a_file_of_schema_2_and_known_from_the_next_hour_on() {
    let (_folder, path) = schema_2();
    let report = |since| report_of(&mut Store::read(&path).unwrap(), since, By::Function, Policy::Active).unwrap();
    let before = report(Since::Ever);
    assert_eq!(before.rows.iter().map(|row| row.active_microjoules.unwrap()).sum::<u64>(), 58_507);
    assert_eq!((before.total.calls, before.total.active_joules_uncertainty), (41, None));
    assert!(before.notes.last().unwrap().contains("the uncertainty of ACTIVE J was not recorded"), "{before:?}");
    let mut store = Store::open(&path).unwrap();
    assert_eq!(number(&store.connection, "PRAGMA user_version"), schema::VERSION);
    assert_eq!(report(Since::Ever), before, "migrating changes nothing");

    // The hour of the last flush stays unknown, also when calls are added to it.
    let last = 498_884;
    let (name, version): (String, String) = store
        .connection
        .query_row("SELECT name, version FROM function WHERE name = 'hello-world' AND version <> ''", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let mut daemon = MadeUp::new(SourceKind::Model, &[(&name, &version)]);
    daemon.window([3000, 300, 0], 0, [10, 0, 0]);
    daemon.calls(0, Outcome::Ok, 1);
    daemon.settle(0, Uncertainty { common: Joules(3e-4), own: Joules(4e-4), source: Joules(12e-4) });
    for hour in [last, last + 100_000] {
        add(&mut store, hour, &daemon);
    }
    assert_eq!(report(Since::Ever).total.active_joules_uncertainty, None);
    let later = report(Since::Time(Hour(last + 1).begin()));
    assert!((later.rows[0].active_joules_uncertainty.unwrap() - 13e-4).abs() < 1e-12, "{later:?}");
    // Folded with known hours, unknown ones make the sum unknown.
    store.keep_within(Bounds { hours: 1, rows: 1_000_000 }, Hour(last + 100_002)).unwrap();
    assert_eq!(report(Since::Ever).total.active_joules_uncertainty, None);
    assert_eq!(report(Since::Ever).total.calls, 43);
}

#[test]
fn folded_rows_keep_their_uncertainty() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path).unwrap();
    let mut daemon = MadeUp::new(SourceKind::Model, &[("a", "1"), ("a", "2")]);
    daemon.window([3000, 300, 0], 0, [10, 0, 0]);
    (0..2).for_each(|version| {
        daemon.settle(version, Uncertainty { common: Joules(0.2), own: Joules(0.3), source: Joules(0.5) });
    });
    (5..7).for_each(|hour| add(&mut store, hour, &daemon));
    let parts = || {
        let report = report_of(&mut Store::read(&path).unwrap(), Since::Ever, By::Function, Policy::Active).unwrap();
        report.total.uncertainty_parts.unwrap()
    };
    let before = parts();
    assert!((before.common_joules - 0.8).abs() < 1e-9 && (before.own_joules - 0.6).abs() < 1e-9, "{before:?}");
    store.keep_within(Bounds { hours: 1, rows: 1 }, Hour(10)).unwrap();
    let after = parts();
    for (before, after) in [
        (before.common_joules, after.common_joules),
        (before.own_joules, after.own_joules),
        (before.source_joules, after.source_joules),
    ] {
        assert!((before - after).abs() < 1e-9, "{after:?}");
    }
}

#[test]
fn a_newer_file_is_refused_and_left_as_it_is() {
    let (_folder, path) = folder();
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for error in [Store::open(&path).unwrap_err(), Store::read(&path).unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("newer nebula (schema 99, this one knows 3)") && text.contains("--state DIR"), "{text}");
    }
    assert_eq!(number(&Connection::open(&path).unwrap(), "PRAGMA user_version"), 99);
}

#[test]
fn a_damaged_file_is_set_aside_and_accounts_start_afresh() {
    let damage: [fn(&Path); 2] = [
        |path| fs::write(path, "this is no database, and long enough to be looked at as one: ".repeat(100)).unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            // All pages but the first.
            bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0x55);
            fs::write(path, bytes).unwrap();
        },
    ];
    for damage in damage {
        let (folder, path) = folder();
        let mut daemon = MadeUp::new(SourceKind::Model, &[("a", "1")]);
        daemon.window([1000, 100, 10], 0, [10, 0, 10]);
        add(&mut Store::open(&path).unwrap(), 7, &daemon);
        damage(&path);
        let damaged = fs::read(&path).unwrap();
        let mut store = Store::open(&path).unwrap();
        assert_eq!(totals(&store.connection), [0; 3]);
        add(&mut store, 8, &daemon);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = names.filter(|path| path.to_str().unwrap().contains(".broken-")).collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(fs::read(&aside[0]).unwrap(), damaged);
    }
}

#[test]
fn a_missing_file_and_an_unreadable_one_are_different_errors() {
    let (folder, path) = folder();
    let missing = Store::read(&path).unwrap_err().to_string();
    assert!(missing.contains(folder.path().to_str().unwrap()), "{missing}");
    fs::create_dir(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Open { .. })));
    assert!(path.is_dir(), "a file that is not damaged is not set aside");
}

#[test]
fn a_flush_is_stored_as_a_whole_or_not_at_all() {
    let (_folder, mut store) = opened();
    let mut daemon = MadeUp::new(SourceKind::Model, &[("a", "1")]);
    daemon.window([1000, 100, 10], 0, [10, 0, 10]);
    add(&mut store, 1, &daemon);
    let before = totals(&store.connection);
    // SQLite treats its own limit like a full disk.
    let pages = number(&store.connection, "PRAGMA page_count");
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let mut pending = Pending::default();
    let mut later = daemon.clone();
    later.window([1000, 100, 10], 0, [10, 0, 10]);
    (2..3000).for_each(|hour| pending.add(Hour(hour), &daemon.reading, &later.reading, &[]));
    let error = store.add(&pending, NOW).unwrap_err();
    assert!(!error.is_damage(), "{error:?}");
    assert_eq!(totals(&store.connection), before);
    store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    store.add(&pending, NOW).unwrap();
    assert_eq!(totals(&store.connection)[0], before[0] + 2998 * 1000);
    assert_eq!(unbalanced(&store.connection), 0);
}

/// Every sum of a file, over all hours.
fn sums(store: &Store) -> (crate::telemetry::Stored, Footprint) {
    let select = format!("SELECT {} FROM footprint t HAVING COUNT(*) > 0", schema::FOOTPRINT.totals());
    let footprint = store
        .connection
        .query_row(&select, [], |row| Ok(Footprint { amounts: rows::sums(row, 0)?, of: rows::energy(row, 3)? }));
    (store.stored().unwrap(), footprint.optional().unwrap().unwrap_or_default())
}

#[test]
fn hours_beyond_the_bounds_are_folded_and_no_sum_changes() {
    let (_folder, mut store) = opened();
    let mut daemon = MadeUp::new(SourceKind::Model, &[("a", "1"), ("b", "1")]);
    let mut last = Reading::default();
    for hour in 1000..1100 {
        daemon.window([hour, 100, 10], (hour % 2) as u32, [10, 3, 10]);
        daemon.calls((hour % 2) as u32, Outcome::Ok, 1);
        store.add(&daemon.pending(hour.cast_signed(), &last, &[(GRAMS.into(), 1.0)]), NOW).unwrap();
        last = daemon.reading.clone();
    }
    let before = sums(&store);
    let hours =
        |store: &Store| number(&store.connection, "SELECT COUNT(DISTINCT hour) FROM zone_energy WHERE hour > 0");
    let first = |store: &Store| number(&store.connection, "SELECT MIN(hour) FROM zone_energy WHERE hour > 0");
    // An hour as old as the bound is kept, and an older one is not.
    store.keep_within(Bounds { hours: 99, rows: 1_000_000 }, Hour(1099)).unwrap();
    assert_eq!((hours(&store), first(&store)), (100, 1000));
    store.keep_within(Bounds { hours: 99, rows: 1_000_000 }, Hour(1100)).unwrap();
    assert_eq!((hours(&store), first(&store)), (99, 1001));
    let rows = store.keep_within(Bounds { hours: 9999, rows: 1_000_000 }, Hour(1100)).unwrap();
    // Exactly as many rows as allowed are not too many.
    assert_eq!(store.keep_within(Bounds { hours: 9999, rows }, Hour(1100)).unwrap(), rows);
    assert_eq!(hours(&store), 99);
    let left = store.keep_within(Bounds { hours: 9999, rows: rows - 1 }, Hour(1100)).unwrap();
    assert!(left < rows && hours(&store) < 99 && hours(&store) > 50, "{left} of {rows}");
    assert_eq!(sums(&store), before);
    assert_eq!(unbalanced(&store.connection), 0);
    assert_eq!(number(&store.connection, "SELECT value FROM note WHERE key = 'kept_since'"), first(&store));
}

#[test]
fn versions_are_folded_first_and_functions_only_if_that_is_not_enough() {
    let (_folder, mut store) = opened();
    let names: Vec<_> =
        (0..40).flat_map(|name| (0..3).map(move |version| (format!("f{name}"), version.to_string()))).collect();
    let versions: Vec<_> = names.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
    let mut daemon = MadeUp::new(SourceKind::Model, &versions);
    for function in 0..120_u32 {
        daemon.window([1000 + 10 * u64::from(function), 10, 0], function, [10, 1, 1]);
        daemon.calls(function, Outcome::Ok, 2);
    }
    add(&mut store, 5, &daemon);
    let before = sums(&store);
    let functions = |store: &Store| number(&store.connection, "SELECT COUNT(*) FROM function");
    let all = store.keep_within(Bounds { hours: 10_000, rows: 1_000_000 }, Hour(5)).unwrap();
    assert_eq!(functions(&store), 120);
    let left = store.keep_within(Bounds { hours: 10_000, rows: all - 1 }, Hour(5)).unwrap();
    assert_eq!((functions(&store), left < all), (40, true));
    assert_eq!(sums(&store), before);
    let few = store.keep_within(Bounds { hours: 10_000, rows: 40 }, Hour(5)).unwrap();
    assert!(few <= 40, "{few}");
    let after = sums(&store).0;
    assert_eq!((&after.accounts, &after.zones), (&before.0.accounts, &before.0.zones));
    assert_eq!(after.calls.values().map(|calls| calls[0]).sum::<u64>(), 240);
    assert!(after.calls.contains_key("f39") && after.calls.contains_key(OTHER), "{:?}", after.calls.keys());
    // Later rows find the right ids.
    add(&mut store, 6, &daemon);
    assert_eq!(unbalanced(&store.connection), 0);
    assert_eq!(sums(&store).0.calls.values().map(|calls| calls[0]).sum::<u64>(), 480);
}
