//! Keeps the file within its bounds. No sum is lost: old hours, and hours beyond the bound, are folded into one.

use rusqlite::{Connection, Transaction, params};

use super::super::Hour;
use super::super::reading::FunctionVersion;
use super::Store;
use super::error::StoreError;
use super::schema::{FOOTPRINT, FUNCTION_ENERGY, KEPT_SINCE, SumTable, TABLES, WORK, set_note};
use super::write::{function_id, integer};

#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Hours that are kept apart.
    pub hours: u64,
    pub rows: u64,
}

/// The tables with a column `function`.
const OF_FUNCTIONS: [SumTable; 3] = [FUNCTION_ENERGY, WORK, FOOTPRINT];

impl Store {
    /// Folds hours that are older than `bounds` allows, and if there are too many rows, more hours, the oldest first. If that
    /// is not enough, since there are so many functions, all versions of each function become one, and then the functions with
    /// the least energy. Returns the number of rows; after an error, nothing
    /// is folded.
    pub fn keep_within(&mut self, bounds: Bounds, now: Hour) -> Result<u64, StoreError> {
        keep_within(&mut self.connection, bounds, now).map_err(StoreError::Write)
    }
}

fn keep_within(connection: &mut Connection, bounds: Bounds, now: Hour) -> rusqlite::Result<u64> {
    let transaction = connection.transaction()?;
    let mut cut = now.0.saturating_sub(integer(bounds.hours)).max(1);
    if rows(&transaction)? > bounds.rows {
        // To three quarters of the bound, so that it is not reached again at once.
        cut = cut.max(first_hour_within(&transaction, bounds.rows / 4 * 3)?.min(now.0));
    }
    fold_hours(&transaction, cut)?;
    if rows(&transaction)? > bounds.rows {
        fold_versions(&transaction)?;
    }
    if rows(&transaction)? > bounds.rows {
        fold_functions(&transaction, bounds.rows / 8)?;
    }
    let left = rows(&transaction)?;
    transaction.commit()?;
    Ok(left)
}

fn rows(connection: &Connection) -> rusqlite::Result<u64> {
    let counts: Vec<_> = TABLES.iter().map(|table| format!("(SELECT COUNT(*) FROM {})", table.name)).collect();
    let count: i64 = connection.query_row(&format!("SELECT {}", counts.join(" + ")), [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The earliest hour since which there are at most this many rows.
fn first_hour_within(transaction: &Transaction<'_>, rows_max: u64) -> rusqlite::Result<i64> {
    let hours: Vec<_> = TABLES.iter().map(|table| format!("SELECT hour FROM {}", table.name)).collect();
    let first = format!(
        "SELECT MIN(hour) FROM (SELECT hour, SUM(COUNT(*)) OVER (ORDER BY hour DESC) AS count FROM ({}) WHERE hour > 0 \
         GROUP BY hour) WHERE count <= ?1",
        hours.join(" UNION ALL ")
    );
    let first: Option<i64> = transaction.query_row(&first, [integer(rows_max)], |row| row.get(0))?;
    Ok(first.unwrap_or(i64::MAX))
}

fn fold_hours(transaction: &Transaction<'_>, cut: i64) -> rusqlite::Result<()> {
    let mut folded = 0;
    for table in &TABLES {
        folded += fold(transaction, table, "hour", Hour::FOLDED.0, &format!("hour > 0 AND hour < {cut}"))?;
    }
    if folded > 0 {
        set_note(transaction, KEPT_SINCE, cut)?;
    }
    Ok(())
}

/// Folds all versions of each function into one.
fn fold_versions(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let several = "SELECT name FROM function GROUP BY name HAVING COUNT(*) > 1";
    let names: Vec<String> =
        transaction.prepare(several)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in &names {
        let into = function_id(transaction, &FunctionVersion::new(name, ""))?;
        fold_into(transaction, into, "SELECT id FROM function WHERE name = ?2", params![into, name])?;
    }
    Ok(())
}

/// Folds all functions but the `kept` with the most energy into one.
fn fold_functions(transaction: &Transaction<'_>, kept: u64) -> rusqlite::Result<()> {
    let into = function_id(transaction, &FunctionVersion::other())?;
    let least = "SELECT id FROM function WHERE id NOT IN \
                 (SELECT function FROM function_energy GROUP BY function ORDER BY SUM(active_uj + preparing_uj) DESC LIMIT ?2)";
    fold_into(transaction, into, least, params![into, integer(kept)])
}

/// Adds the rows of the functions that `which` selects to those of `into`, its first parameter.
fn fold_into(
    transaction: &Transaction<'_>,
    into: i64,
    which: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<()> {
    transaction
        .execute_batch("CREATE TEMP TABLE IF NOT EXISTS folded (id INTEGER PRIMARY KEY); DELETE FROM folded;")?;
    transaction.execute(&format!("INSERT INTO folded SELECT id FROM ({which}) WHERE id <> ?1"), parameters)?;
    for table in &OF_FUNCTIONS {
        fold(transaction, table, "function", into, "function IN (SELECT id FROM folded)")?;
    }
    transaction.execute("DELETE FROM function WHERE id IN (SELECT id FROM folded)", []).map(drop)
}

/// Folds the rows for which `which` holds: their `key` becomes `value`, and rows that no longer differ in any key become
/// one. Returns how many there were.
fn fold(
    transaction: &Transaction<'_>,
    table: &SumTable,
    key: &str,
    value: i64,
    which: &str,
) -> rusqlite::Result<usize> {
    let others: Vec<_> = ["hour"].iter().chain(table.keys).copied().filter(|other| *other != key).collect();
    let others = others.join(", ");
    let fold = format!(
        "INSERT INTO {name} ({key}, {others}, {sums}) SELECT {value}, {others}, {totals} FROM {name} t WHERE {which} \
         GROUP BY {others} {on_conflict}",
        name = table.name,
        sums = table.sum_columns(),
        totals = table.totals(),
        on_conflict = table.on_conflict(),
    );
    transaction.execute(&fold, [])?;
    transaction.execute(&format!("DELETE FROM {} WHERE {which}", table.name), [])
}
