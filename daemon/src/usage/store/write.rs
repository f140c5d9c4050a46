//! Adds what was used since the last flush, in one transaction.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{SystemTime, UNIX_EPOCH};

use nebula_metering::Uncertainty;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, ToSql, Transaction, params, params_from_iter};

use super::super::pending::{Pending, components};
use super::super::reading::{FunctionVersion, ZoneKey};
use super::Store;
use super::error::StoreError;
use super::schema::{FOOTPRINT, FUNCTION_ENERGY, STORED_AT, WORK, ZONE_ENERGY, set_note};

impl Store {
    /// Adds everything or nothing.
    pub fn add(&mut self, pending: &Pending, now: SystemTime) -> Result<(), StoreError> {
        add(&mut self.connection, pending, now).map_err(StoreError::Write)?;
        self.whereabouts.note_beside();
        Ok(())
    }
}

fn add(connection: &mut Connection, pending: &Pending, now: SystemTime) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let function = cached(|version| function_id(&transaction, version));
    let zone = cached(|key| zone_id(&transaction, key));
    add_rows(&transaction, pending, function, zone)?;
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    set_note(&transaction, STORED_AT, integer(seconds))?;
    transaction.commit()
}

fn add_rows(
    transaction: &Transaction<'_>,
    pending: &Pending,
    mut function: impl FnMut(&FunctionVersion) -> rusqlite::Result<i64>,
    mut zone: impl FnMut(&ZoneKey) -> rusqlite::Result<i64>,
) -> rusqlite::Result<()> {
    let mut add = transaction.prepare(&FUNCTION_ENERGY.add())?;
    for ((hour, version, key), energy) in &pending.functions {
        add.execute(row([hour.0, function(version)?, zone(key)?], components(*energy), []))?;
    }
    let mut add = transaction.prepare(&ZONE_ENERGY.add())?;
    for ((hour, key), energy) in &pending.zones {
        let sums = [energy.total, energy.runtime, energy.host, energy.base, energy.gap].map(|energy| energy.0);
        add.execute(row([hour.0, zone(key)?], sums, []))?;
    }
    let mut add = transaction.prepare(&WORK.add())?;
    for ((hour, version, metered), work) in &pending.work {
        let keys = [hour.0, function(version)?, i64::from(*metered)];
        let Uncertainty { common, own, source } = work.uncertainty;
        let parts = [common.0, own.0.powi(2), source.0];
        add.execute(row(keys, work.calls.into_iter().chain([work.cold_starts, work.cpu_nanos]), parts))?;
    }
    let mut add = transaction.prepare(&FOOTPRINT.add())?;
    for ((hour, version, unit), sum) in &pending.footprints {
        let keys = [Value::from(hour.0), Value::from(function(version)?), Value::from(unit.to_string())];
        add.execute(row(keys, sum.amounts.into_iter().chain(components(sum.of)), []))?;
    }
    Ok(())
}

pub fn function_id(transaction: &Transaction<'_>, version: &FunctionVersion) -> rusqlite::Result<i64> {
    id_of(transaction, "function", "name, version", params![version.name, version.version])
}

fn zone_id(transaction: &Transaction<'_>, ZoneKey { source, zone }: &ZoneKey) -> rusqlite::Result<i64> {
    let values = params![source, zone.domain.as_str(), zone.package, zone.is_additive()];
    id_of(transaction, "zone", "source, zone, package, additive", values)
}

/// The id of the row with these values, which is inserted if it is new.
fn id_of(transaction: &Transaction<'_>, table: &str, columns: &str, values: &[&dyn ToSql]) -> rusqlite::Result<i64> {
    let places = vec!["?"; values.len()].join(", ");
    let find = format!("SELECT id FROM {table} WHERE ({columns}) = ({places})");
    if let Some(id) = transaction.query_row(&find, values, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute(&format!("INSERT INTO {table} ({columns}) VALUES ({places})"), values)?;
    Ok(transaction.last_insert_rowid())
}

/// `find`, called once for each key.
fn cached<K: Clone + Eq + Hash>(find: impl Fn(&K) -> rusqlite::Result<i64>) -> impl FnMut(&K) -> rusqlite::Result<i64> {
    let mut found = HashMap::new();
    move |key| match found.get(key) {
        Some(id) => Ok(*id),
        None => find(key).inspect(|id| {
            found.insert(key.clone(), *id);
        }),
    }
}

fn row<K: Into<Value>>(
    keys: impl IntoIterator<Item = K>,
    sums: impl IntoIterator<Item = u64>,
    reals: impl IntoIterator<Item = f64>,
) -> impl Params {
    let sums = sums.into_iter().map(|sum| Value::from(integer(sum)));
    let reals = reals.into_iter().map(Value::from);
    params_from_iter(keys.into_iter().map(Into::into).chain(sums).chain(reals).collect::<Vec<Value>>())
}

/// SQLite's integers end at 2^63 − 1, in microjoules 292 years of a kilowatt.
pub fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
