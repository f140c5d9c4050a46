//! Keeps the file within its bounds. No sum is lost: old hours, and hours beyond the bound, are folded into one.

use rusqlite::{Connection, Transaction, params};

use super::super::reading::FunctionVersion;
use super::super::{Hour, OTHER};
use super::Store;
use super::error::StoreError;
use super::schema::{FOOTPRINT, FUNCTION_ENERGY, KEPT_SINCE, SumTable, TABLES, WORK, set_note};
use super::write::function_id;

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
    /// the least energy. Returns the number of rows.
    ///
    /// # Errors
    /// If it cannot be written. Then nothing is folded.
    pub fn keep_within(&mut self, bounds: Bounds, now: Hour) -> Result<u64, StoreError> {
        let kept = self.try_keep_within(bounds, now);
        self.forget_ids();
        kept.map_err(StoreError::Write)
    }

    fn try_keep_within(&mut self, bounds: Bounds, now: Hour) -> rusqlite::Result<u64> {
        let transaction = self.connection.transaction()?;
        let hours = i64::try_from(bounds.hours).unwrap_or(i64::MAX);
        let mut cut = now.0.saturating_sub(hours).max(1);
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
}

fn rows(connection: &Connection) -> rusqlite::Result<u64> {
    let counts: Vec<_> = TABLES.iter().map(|table| format!("(SELECT COUNT(*) FROM {})", table.name)).collect();
    let count: i64 = connection.query_row(&format!("SELECT {}", counts.join(" + ")), [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The earliest hour since which there are at most this many rows.
fn first_hour_within(transaction: &Transaction<'_>, rows_max: u64) -> rusqlite::Result<i64> {
    let hours: Vec<_> = TABLES.iter().map(|table| format!("SELECT hour FROM {}", table.name)).collect();
    let count = format!(
        "SELECT hour, COUNT(*) FROM ({}) WHERE hour > 0 GROUP BY hour ORDER BY hour DESC",
        hours.join(" UNION ALL ")
    );
    let mut statement = transaction.prepare(&count)?;
    let mut counts = statement.query([])?;
    let (mut sum, mut first) = (0, i64::MAX);
    while let Some(row) = counts.next()? {
        sum += row.get::<_, i64>(1)?.unsigned_abs();
        if sum > rows_max {
            break;
        }
        first = row.get(0)?;
    }
    Ok(first)
}

fn fold_hours(transaction: &Transaction<'_>, cut: i64) -> rusqlite::Result<()> {
    let mut folded = 0;
    for table in &TABLES {
        let keys = table.keys.join(", ");
        let sums: Vec<_> = table.sums.iter().map(|sum| format!("SUM({sum})")).collect();
        let fold = format!(
            "INSERT INTO {name} (hour, {keys}, {columns}) SELECT 0, {keys}, {sums} FROM {name} WHERE hour > 0 AND hour < ?1 \
             GROUP BY {keys} {on_conflict}",
            name = table.name,
            columns = table.sums.join(", "),
            sums = sums.join(", "),
            on_conflict = table.on_conflict(),
        );
        transaction.execute(&fold, [cut])?;
        folded += transaction.execute(&format!("DELETE FROM {} WHERE hour > 0 AND hour < ?1", table.name), [cut])?;
    }
    if folded > 0 {
        set_note(transaction, KEPT_SINCE, cut)?;
    }
    Ok(())
}

/// Folds all versions of each function into one.
fn fold_versions(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let names: Vec<String> = {
        let several = "SELECT name FROM function GROUP BY name HAVING COUNT(*) > 1";
        let mut statement = transaction.prepare(several)?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for name in &names {
        let into = function_id(transaction, &FunctionVersion::new(name, ""))?;
        fold_into(transaction, into, "SELECT id FROM function WHERE name = ?2", params![into, name])?;
    }
    Ok(())
}

/// Folds all functions but the `kept` with the most energy into one.
fn fold_functions(transaction: &Transaction<'_>, kept: u64) -> rusqlite::Result<()> {
    let into = function_id(transaction, &FunctionVersion::new(OTHER, ""))?;
    let least = "SELECT id FROM function WHERE id NOT IN \
                 (SELECT function FROM function_energy GROUP BY function ORDER BY SUM(active_uj + preparing_uj) DESC LIMIT ?2)";
    fold_into(transaction, into, least, params![into, i64::try_from(kept).unwrap_or(i64::MAX)])
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
        let other_key = table.keys.iter().copied().find(|key| *key != "function").unwrap_or("function");
        let sums: Vec<_> = table.sums.iter().map(|sum| format!("SUM({sum})")).collect();
        let fold = format!(
            "INSERT INTO {name} (hour, function, {other_key}, {columns}) SELECT hour, ?1, {other_key}, {sums} FROM {name} \
             WHERE function IN (SELECT id FROM folded) GROUP BY hour, {other_key} {on_conflict}",
            name = table.name,
            columns = table.sums.join(", "),
            sums = sums.join(", "),
            on_conflict = table.on_conflict(),
        );
        transaction.execute(&fold, [into])?;
        transaction.execute(&format!("DELETE FROM {} WHERE function IN (SELECT id FROM folded)", table.name), [])?;
    }
    transaction.execute("DELETE FROM function WHERE id IN (SELECT id FROM folded)", []).map(drop)
}
