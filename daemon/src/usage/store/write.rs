//! Adds what has come since the last flush, in one transaction.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use nebula_metering::FunctionEnergy;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Transaction, params, params_from_iter};

use super::super::pending::{Pending, ZoneKey};
use super::super::reading::FunctionVersion;
use super::Store;
use super::error::StoreError;
use super::schema::{FOOTPRINT, FUNCTION_ENERGY, STORED_AT, WORK, ZONE_ENERGY, set_note};

impl Store {
    /// Adds everything or nothing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, pending: &Pending, now: SystemTime) -> Result<(), StoreError> {
        let added = self.try_add(pending, now);
        if added.is_err() {
            // Rows that were rolled back had ids that other rows will get.
            self.forget_ids();
        }
        added.map_err(StoreError::Write)
    }

    pub(super) fn forget_ids(&mut self) {
        self.functions.clear();
        self.zones.clear();
    }

    fn try_add(&mut self, pending: &Pending, now: SystemTime) -> rusqlite::Result<()> {
        let Self { connection, functions, zones } = self;
        let transaction = connection.transaction()?;
        add_all(&transaction, pending, functions, zones)?;
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        set_note(&transaction, STORED_AT, integer(seconds))?;
        transaction.commit()
    }
}

fn add_all(
    transaction: &Transaction<'_>,
    pending: &Pending,
    functions: &mut HashMap<FunctionVersion, i64>,
    zones: &mut HashMap<ZoneKey, i64>,
) -> rusqlite::Result<()> {
    let mut function = |version: &FunctionVersion| match functions.get(version) {
        Some(id) => Ok(*id),
        None => function_id(transaction, version).inspect(|id| {
            functions.insert(version.clone(), *id);
        }),
    };
    let mut zone = |key: &ZoneKey| match zones.get(key) {
        Some(id) => Ok(*id),
        None => zone_id(transaction, key).inspect(|id| {
            zones.insert(key.clone(), *id);
        }),
    };
    let mut add = transaction.prepare(&FUNCTION_ENERGY.add())?;
    for ((hour, version, key), energy) in &pending.functions {
        let keys = [hour.0, function(version)?, zone(key)?];
        add.execute(row(keys, [energy.active.0, energy.preparing.0, energy.base.0]))?;
    }
    let mut add = transaction.prepare(&ZONE_ENERGY.add())?;
    for ((hour, key), energy) in &pending.zones {
        let sums = [energy.total, energy.runtime, energy.host, energy.base, energy.gap].map(|energy| energy.0);
        add.execute(row([hour.0, zone(key)?], sums))?;
    }
    let mut add = transaction.prepare(&WORK.add())?;
    for ((hour, version, metered), work) in &pending.work {
        let keys = [hour.0, function(version)?, i64::from(*metered)];
        add.execute(row(keys, work.calls.into_iter().chain([work.cold_starts, work.cpu_nanos])))?;
    }
    let mut add = transaction.prepare(&FOOTPRINT.add())?;
    for ((hour, version, unit), sum) in &pending.footprints {
        let keys = [Value::from(hour.0), Value::from(function(version)?), Value::from(unit.to_string())];
        let FunctionEnergy { active, preparing, base } = sum.of;
        let sums = [sum.active, sum.preparing, sum.base, active.0, preparing.0, base.0].map(integer);
        add.execute(params_from_iter(keys.into_iter().chain(sums.map(Value::from))))?;
    }
    Ok(())
}

/// The id of a version, which is inserted if it is new.
pub fn function_id(transaction: &Transaction<'_>, version: &FunctionVersion) -> rusqlite::Result<i64> {
    let names = params![version.name, version.version];
    let find = "SELECT id FROM function WHERE name = ?1 AND version = ?2";
    if let Some(id) = transaction.query_row(find, names, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute("INSERT INTO function (name, version) VALUES (?1, ?2)", names)?;
    Ok(transaction.last_insert_rowid())
}

fn zone_id(transaction: &Transaction<'_>, ZoneKey { source, zone }: &ZoneKey) -> rusqlite::Result<i64> {
    let names = params![source, zone.domain.as_str(), zone.package];
    let find = "SELECT id FROM zone WHERE source = ?1 AND zone = ?2 AND package = ?3";
    if let Some(id) = transaction.query_row(find, names, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let names = params![source, zone.domain.as_str(), zone.package, zone.is_additive()];
    transaction.execute("INSERT INTO zone (source, zone, package, additive) VALUES (?1, ?2, ?3, ?4)", names)?;
    Ok(transaction.last_insert_rowid())
}

fn row(keys: impl IntoIterator<Item = i64>, sums: impl IntoIterator<Item = u64>) -> impl rusqlite::Params {
    params_from_iter(keys.into_iter().chain(sums.into_iter().map(integer)).collect::<Vec<_>>())
}

/// SQLite's integers end at 2^63 − 1, in microjoules 292 years of a kilowatt.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
