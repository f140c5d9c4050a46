//! Reads the sums of a report from the file, in one transaction.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;
use nebula_metering::Microjoules;
use rusqlite::{Connection, OptionalExtension, Row as Found};

use super::super::pending::{Footprint, GRAMS};
use super::super::store::rows::{self, each, energy};
use super::super::store::schema::{
    FOOTPRINT, FUNCTION_ENERGY, KEPT_SINCE, PREPARING_SINCE, STORED_AT, SumTable, UNCERTAINTY_SINCE, WORK, ZONE_ENERGY,
};
use super::super::{Hour, OTHER, StoreError};
use super::sums::Sums;
use super::{By, Machine, ROWS_MAX, Report, Row, Since, notes};
use crate::units::Policy;

/// What a row is about: function, version and hour, or `None` for what the report does not tell apart.
type Key = (Option<String>, Option<String>, Option<i64>);

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
    let rows = in_order(sums, by, policy, kept_since.as_deref());
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
    for (since, note_of) in
        [(PREPARING_SINCE, notes::preparing as fn(&str) -> String), (UNCERTAINTY_SINCE, notes::uncertainty)]
    {
        let since = note(&connection, since)?.filter(|since| first.0 < *since);
        report.notes.extend(since.map(|since| note_of(&shown(Hour(since)))));
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
    // The sums of a table by the key and one more column.
    let select = |table: &SumTable, column: &str| {
        format!(
            "SELECT {key}, {column}, {} FROM {} t JOIN function f ON f.id = t.function WHERE t.hour >= ?1 GROUP BY 1, 2, 3, 4",
            table.totals(),
            table.name
        )
    };
    each(connection, &select(&FUNCTION_ENERGY, "(SELECT source FROM zone WHERE id = t.zone)"), [first.0], |row| {
        let sources = &mut sums.entry(key_of(row)?).or_default().energy;
        *sources.entry(row.get(3)?).or_default() += energy(row, 4)?;
        Ok(())
    })?;
    each(connection, &select(&WORK, "t.metered"), [first.0], |row| {
        let sums = sums.entry(key_of(row)?).or_default();
        let [calls @ .., cold_starts, cpu_nanos] = rows::sums::<9>(row, 4)?;
        sums.cold_starts += cold_starts;
        if row.get(3)? {
            sums.measured = calls;
            sums.cpu_nanos = Some(cpu_nanos);
            match rows::uncertainty(row, 13)? {
                Some(uncertainty) => sums.uncertainty = uncertainty,
                None => sums.uncertainty_unknown = true,
            }
        } else {
            sums.unmeasured = calls;
        }
        Ok(())
    })?;
    each(connection, &select(&FOOTPRINT, "t.unit"), [first.0], |row| {
        let sums = sums.entry(key_of(row)?).or_default();
        let unit: String = row.get(3)?;
        let footprint = Footprint { amounts: rows::sums(row, 4)?, of: energy(row, 7)? };
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
        let [used] = rows::sums(row, 2)?;
        sums.machine += Microjoules(used);
        Ok(())
    })
}

fn machine(connection: &Connection, first: Hour) -> rusqlite::Result<Vec<Machine>> {
    let zones = format!(
        "SELECT z.source, {}, (SELECT SUM(e.active_uj + e.preparing_uj) FROM function_energy e JOIN zone y ON y.id = e.zone \
         WHERE e.hour >= ?1 AND y.additive AND y.source = z.source) \
         FROM zone_energy t JOIN zone z ON z.id = t.zone WHERE t.hour >= ?1 AND z.additive GROUP BY 1",
        ZONE_ENERGY.totals()
    );
    let mut machines = Vec::new();
    each(connection, &zones, [first.0], |row| {
        let source: String = row.get(0)?;
        let [total, runtime, host, base, gap] = rows::sums(row, 1)?;
        machines.push(Machine {
            measured: notes::is_measured(&source),
            source,
            total_microjoules: total,
            function_microjoules: row.get::<_, Option<i64>>(6)?.unwrap_or_default().unsigned_abs(),
            runtime_microjoules: runtime,
            host_microjoules: host,
            base_microjoules: base,
            gap_microjoules: gap,
        });
        Ok(())
    })?;
    Ok(machines)
}

/// Rows in their order. Rows beyond [`ROWS_MAX`] become one.
fn in_order(sums: BTreeMap<Key, Sums>, by: By, policy: Policy, kept_since: Option<&str>) -> Vec<Row> {
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
