//! Reads the sums of a report from the file, in one transaction.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;
use nebula_metering::Microjoules;
use rusqlite::{Connection, OptionalExtension, Row as Found};

use super::super::pending::{Footprint, GRAMS};
use super::super::store::rows::{ENERGY, each, energy_at, whole};
use super::super::store::schema::{KEPT_SINCE, PREPARING_SINCE, STORED_AT};
use super::super::{Hour, OTHER, StoreError};
use super::sums::{CallCounts, Sums};
use super::{By, Machine, ROWS_MAX, Report, Row, Since, notes};
use crate::units::Policy;

/// What a row is about: function, version and hour, or `None` for what the report does not tell apart.
type Key = (Option<String>, Option<String>, Option<i64>);

/// # Errors
/// If the file cannot be read.
pub fn report_of(connection: &mut Connection, since: Since, by: By, policy: Policy) -> Result<Report, StoreError> {
    read(connection, since, by, policy).map_err(StoreError::Read)
}

fn read(connection: &mut Connection, since: Since, by: By, policy: Policy) -> rusqlite::Result<Report> {
    let connection = connection.transaction()?;
    let first = match since {
        Since::Ever => Hour::FOLDED,
        Since::Time(time) => Hour::of(time),
    };
    let currency = currency(&connection, first)?;
    let mut sums = sums(&connection, first, by, currency.as_deref())?;
    let machine = machine(&connection, first)?;
    let used = Microjoules(machine.iter().map(|machine| machine.total_microjoules).sum());
    let mut total = Sums::default();
    for sums in sums.values() {
        total.add(sums);
    }
    total.machine = used;
    if by == By::Hour {
        add_hours(&connection, first, &mut sums)?;
    } else {
        for sums in sums.values_mut() {
            sums.machine = used;
        }
    }
    let kept_since = note(&connection, KEPT_SINCE)?.map(|hour| shown(Hour(hour)));
    let rows = rows(sums, by, policy, kept_since.as_deref());
    let stored_at = note(&connection, STORED_AT)?
        .map(|seconds| format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())).to_string());
    let total = total.row(policy);
    let mut report = Report {
        since: (first > Hour::FOLDED).then(|| shown(first)),
        until: stored_at,
        by,
        policy: policy.as_str().into(),
        currency,
        hours_kept_since: kept_since,
        rows,
        total,
        machine,
        notes: Vec::new(),
    };
    report.notes = notes::of(&report);
    if let Some(apart) = note(&connection, PREPARING_SINCE)?.filter(|apart| first.0 < *apart) {
        let apart = shown(Hour(apart));
        report
            .notes
            .push(format!("before {apart}, preparing functions was not recorded apart: it is in ACTIVE J and J/CALL"));
    }
    Ok(report)
}

fn shown(hour: Hour) -> String {
    format_rfc3339_seconds(hour.begin()).to_string()
}

fn note(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT value FROM note WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// The last currency. Costs in other currencies cannot be added to it.
fn currency(connection: &Connection, first: Hour) -> rusqlite::Result<Option<String>> {
    let last = "SELECT unit FROM footprint WHERE hour >= ?1 AND unit <> ?2 ORDER BY hour DESC LIMIT 1";
    connection.query_row(last, (first.0, GRAMS), |row| row.get(0)).optional()
}

fn sums(connection: &Connection, first: Hour, by: By, currency: Option<&str>) -> rusqlite::Result<BTreeMap<Key, Sums>> {
    let mut sums = BTreeMap::<Key, Sums>::new();
    let key = match by {
        By::Function => "f.name, NULL, NULL",
        By::Version => "f.name, f.version, NULL",
        By::Hour => "NULL, NULL, t.hour",
    };
    let select = |columns: &str, from: &str| {
        format!(
            "SELECT {key}, {columns} FROM {from} t JOIN function f ON f.id = t.function WHERE t.hour >= ?1 \
             GROUP BY 1, 2, 3, 4"
        )
    };
    let source = "(SELECT source FROM zone WHERE id = t.zone)";
    let energy = select(&format!("{source}, {ENERGY}"), "function_energy");
    each(connection, &energy, [first.0], |row| {
        let energy = energy_at(row, 4)?;
        *sums.entry(key_of(row)?).or_default().energy.entry(row.get(3)?).or_default() += energy;
        Ok(())
    })?;
    let columns = "t.metered, SUM(t.ok), SUM(t.error), SUM(t.trap), SUM(t.timeout), SUM(t.over_budget), \
                   SUM(t.cancelled), SUM(t.rejected), SUM(t.cold_starts), SUM(t.cpu_ns)";
    each(connection, &select(columns, "work"), [first.0], |row| {
        let sums = sums.entry(key_of(row)?).or_default();
        let metered = row.get(3)?;
        let calls: &mut CallCounts = if metered { &mut sums.measured } else { &mut sums.unmeasured };
        for (place, count) in (4..).zip(calls.iter_mut()) {
            *count += whole(row, place)?;
        }
        let next = 4 + calls.len();
        sums.cold_starts += whole(row, next)?;
        if metered {
            *sums.cpu_nanos.get_or_insert(0) += whole(row, next + 1)?;
        }
        Ok(())
    })?;
    let columns = format!("t.unit, SUM(t.active), SUM(t.preparing), SUM(t.base), {ENERGY}");
    each(connection, &select(&columns, "footprint"), [first.0], |row| {
        let sums = sums.entry(key_of(row)?).or_default();
        let unit: String = row.get(3)?;
        let (active, preparing, base) = (whole(row, 4)?, whole(row, 5)?, whole(row, 6)?);
        let footprint = Footprint { active, preparing, base, of: energy_at(row, 7)? };
        if unit == GRAMS {
            sums.grams = Some(footprint);
        } else if Some(unit.as_str()) == currency {
            sums.cost = Some(footprint);
        }
        Ok(())
    })?;
    Ok(sums)
}

/// Adds what the machine used in each hour, including hours in which no function ran.
fn add_hours(connection: &Connection, first: Hour, sums: &mut BTreeMap<Key, Sums>) -> rusqlite::Result<()> {
    let hours = "SELECT e.hour, z.source, SUM(e.total_uj) FROM zone_energy e JOIN zone z ON z.id = e.zone \
                 WHERE e.hour >= ?1 AND z.additive GROUP BY 1, 2";
    each(connection, hours, [first.0], |row| {
        let sums = sums.entry((None, None, Some(row.get(0)?))).or_default();
        sums.energy.entry(row.get(1)?).or_default();
        sums.machine += Microjoules(whole(row, 2)?);
        Ok(())
    })
}

fn machine(connection: &Connection, first: Hour) -> rusqlite::Result<Vec<Machine>> {
    let mut machines = BTreeMap::<String, Machine>::new();
    let zones = "SELECT z.source, SUM(e.total_uj), SUM(e.runtime_uj), SUM(e.host_uj), SUM(e.base_uj), SUM(e.gap_uj) \
                 FROM zone_energy e JOIN zone z ON z.id = e.zone WHERE e.hour >= ?1 AND z.additive GROUP BY 1";
    each(connection, zones, [first.0], |row| {
        let source: String = row.get(0)?;
        let machine = Machine {
            measured: notes::is_measured(&source),
            total_microjoules: whole(row, 1)?,
            function_microjoules: 0,
            runtime_microjoules: whole(row, 2)?,
            host_microjoules: whole(row, 3)?,
            base_microjoules: whole(row, 4)?,
            gap_microjoules: whole(row, 5)?,
            source,
        };
        machines.insert(machine.source.clone(), machine);
        Ok(())
    })?;
    let functions = "SELECT z.source, SUM(e.active_uj + e.preparing_uj) FROM function_energy e JOIN zone z ON z.id = e.zone \
                     WHERE e.hour >= ?1 AND z.additive GROUP BY 1";
    each(connection, functions, [first.0], |row| {
        if let Some(machine) = machines.get_mut(&row.get::<_, String>(0)?) {
            machine.function_microjoules = whole(row, 1)?;
        }
        Ok(())
    })?;
    Ok(machines.into_values().collect())
}

/// Rows in their order. Rows beyond [`ROWS_MAX`] become one.
fn rows(sums: BTreeMap<Key, Sums>, by: By, policy: Policy, kept_since: Option<&str>) -> Vec<Row> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    match by {
        // They are sorted by time. The last hours matter most.
        By::Hour => sums.reverse(),
        By::Function | By::Version => sums.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.counted(policy))),
    }
    let beyond = sums.split_off(sums.len().min(ROWS_MAX));
    let named = |((function, version, hour), sums): (Key, Sums)| {
        let before = || kept_since.map_or_else(|| "before".to_owned(), |since| format!("before {since}"));
        let hour = hour.map(|hour| if Hour(hour) == Hour::FOLDED { before() } else { shown(Hour(hour)) });
        Row { function, version, hour, ..sums.row(policy) }
    };
    let mut rows: Vec<_> = sums.into_iter().map(named).collect();
    if !beyond.is_empty() {
        let mut together = Sums::default();
        for (_, sums) in &beyond {
            together.add(sums);
            together.machine = if by == By::Hour { together.machine + sums.machine } else { sums.machine };
        }
        let row = together.row(policy);
        rows.push(match by {
            By::Hour => Row { hour: Some("earlier".into()), ..row },
            By::Function | By::Version => Row { function: Some(OTHER.into()), ..row },
        });
    }
    if by == By::Hour {
        rows.reverse();
    }
    rows
}

fn key_of(row: &Found<'_>) -> rusqlite::Result<Key> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
