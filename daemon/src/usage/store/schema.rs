//! The tables of the file. Energies are whole microjoules, amounts of carbon and money whole billionths.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, Transaction, params};

use super::super::Hour;
use super::error::StoreError;

/// The schema that this program writes. A change adds its steps to [`migrate`].
pub const VERSION: i64 = 3;

/// A table of sums by hour.
pub struct SumTable {
    pub name: &'static str,
    /// Tell rows apart, together with the hour.
    pub keys: &'static [&'static str],
    pub sums: &'static [&'static str],
    /// Sums of real numbers that are not known for rows of older schemas. Nor is a sum with such a row known, then.
    pub reals: &'static [&'static str],
}

/// Energy of functions. `base_uj` is a share of the zone's `base_uj`, and in it.
pub const FUNCTION_ENERGY: SumTable = SumTable {
    name: "function_energy",
    keys: &["function", "zone"],
    sums: &["active_uj", "preparing_uj", "base_uj"],
    reals: &[],
};

/// Energy of zones. `total_uj` is the sum of the others and of `active_uj` and
/// `preparing_uj` of all functions.
pub const ZONE_ENERGY: SumTable = SumTable {
    name: "zone_energy",
    keys: &["zone"],
    sums: &["total_uj", "runtime_uj", "host_uj", "base_uj", "gap_uj"],
    reals: &[],
};

/// What functions did. `metered` is 1 if their energy is known. The parts of the uncertainty of their settled calls are in
/// joules, and in joules squared what is the calls' own: these are the sums that add up.
pub const WORK: SumTable = SumTable {
    name: "work",
    keys: &["function", "metered"],
    sums: &["ok", "error", "trap", "timeout", "over_budget", "cancelled", "rejected", "cold_starts", "cpu_ns"],
    reals: &["common_j", "own_j2", "source_j"],
};

/// What functions' energy came to, by `unit`: grams of CO2e or a currency; with the energy for which that is known.
pub const FOOTPRINT: SumTable = SumTable {
    name: "footprint",
    keys: &["function", "unit"],
    sums: &["active", "preparing", "base", "active_uj", "preparing_uj", "base_uj"],
    reals: &[],
};

pub const TABLES: [SumTable; 4] = [FUNCTION_ENERGY, ZONE_ENERGY, WORK, FOOTPRINT];

/// When the last flush was, in seconds since 1970.
pub const STORED_AT: &str = "stored_at";

/// The first hour that is still kept apart.
pub const KEPT_SINCE: &str = "kept_since";

/// The first hour in which preparing functions stands by itself; before, it is part of their active energy.
pub const PREPARING_SINCE: &str = "preparing_since";

/// The first hour in which the uncertainty of all active energy is known.
pub const UNCERTAINTY_SINCE: &str = "uncertainty_since";

/// What files did not have before a schema.
struct Addition {
    schema: i64,
    /// Adds it to the tables.
    columns: &'static str,
    /// Shows the tables of a file that is only read as if they had it.
    views: &'static str,
    /// The note of the first hour that has it.
    since: &'static str,
}

/// In the order of their schemas.
const ADDITIONS: [Addition; 2] = [
    Addition {
        schema: 2,
        columns: "ALTER TABLE function_energy ADD COLUMN preparing_uj INTEGER NOT NULL DEFAULT 0;
                  ALTER TABLE footprint ADD COLUMN preparing INTEGER NOT NULL DEFAULT 0;
                  ALTER TABLE footprint ADD COLUMN preparing_uj INTEGER NOT NULL DEFAULT 0;",
        views: "CREATE TEMP VIEW function_energy AS SELECT *, 0 AS preparing_uj FROM main.function_energy;
                CREATE TEMP VIEW footprint AS SELECT *, 0 AS preparing, 0 AS preparing_uj FROM main.footprint;",
        since: PREPARING_SINCE,
    },
    Addition {
        schema: 3,
        columns: "ALTER TABLE work ADD COLUMN common_j REAL;
                  ALTER TABLE work ADD COLUMN own_j2 REAL;
                  ALTER TABLE work ADD COLUMN source_j REAL;",
        views: "CREATE TEMP VIEW work AS SELECT *, NULL AS common_j, NULL AS own_j2, NULL AS source_j FROM main.work;",
        since: UNCERTAINTY_SINCE,
    },
];

const NAMES: &str = "
CREATE TABLE function (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, UNIQUE (name, version)) STRICT;
CREATE TABLE zone (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, zone TEXT NOT NULL, package TEXT NOT NULL, additive INTEGER NOT NULL,
  UNIQUE (source, zone, package)
) STRICT;
CREATE TABLE note (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

impl SumTable {
    fn create(&self) -> String {
        let key = |key: &&str| format!("{key} {} NOT NULL", if *key == "unit" { "TEXT" } else { "INTEGER" });
        let keys: Vec<_> = self.keys.iter().map(key).collect();
        let sums = self.sums.iter().map(|sum| format!("{sum} INTEGER NOT NULL"));
        let sums: Vec<_> = sums.chain(self.reals.iter().map(|real| format!("{real} REAL"))).collect();
        format!(
            "CREATE TABLE {} (hour INTEGER NOT NULL, {}, {}, PRIMARY KEY (hour, {})) STRICT, WITHOUT ROWID;\n",
            self.name,
            keys.join(", "),
            sums.join(", "),
            self.keys.join(", ")
        )
    }

    /// The columns of sums.
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.sums.iter().chain(self.reals).copied()
    }

    pub fn sum_columns(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    /// The sums over the rows that are selected from the table as `t`.
    pub fn totals(&self) -> String {
        let sums = self.sums.iter().map(|sum| format!("SUM(t.{sum})"));
        let known = |real| format!("CASE WHEN COUNT(t.{real}) = COUNT(*) THEN SUM(t.{real}) END");
        sums.chain(self.reals.iter().map(known)).collect::<Vec<_>>().join(", ")
    }

    /// Adds to the row that has this hour and these keys, if there is one.
    pub fn on_conflict(&self) -> String {
        let add: Vec<_> = self.columns().map(|sum| format!("{sum} = {sum} + excluded.{sum}")).collect();
        format!("ON CONFLICT DO UPDATE SET {}", add.join(", "))
    }

    /// Inserts or adds a row. Parameters: the hour, the keys and the sums.
    pub fn add(&self) -> String {
        let places = vec!["?"; 1 + self.keys.len() + self.sums.len() + self.reals.len()].join(", ");
        let (keys, sums) = (self.keys.join(", "), self.sum_columns());
        format!("INSERT INTO {} (hour, {keys}, {sums}) VALUES ({places}) {}", self.name, self.on_conflict())
    }
}

pub fn set_note(transaction: &Transaction<'_>, key: &str, value: i64) -> rusqlite::Result<()> {
    let set = "INSERT INTO note (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    transaction.execute(set, params![key, value]).map(drop)
}

/// Checks that this program can read the file.
pub fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match found(connection, path)? {
        VERSION => Ok(()),
        // A file that is only read stays as it is: views of the same names show it as the tables are now.
        older @ 1..VERSION => {
            connection.execute_batch(&views(older)).map_err(|source| StoreError::Open { path: path.into(), source })
        }
        // Created, but not written yet.
        _ => Err(StoreError::Missing(path.parent().unwrap_or(path).into())),
    }
}

/// Migrates the file to [`VERSION`].
pub fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let migrated = match found(connection, path)? {
        VERSION => Ok(()),
        older @ 1..VERSION => add_since(connection, older),
        _ => create(connection),
    };
    migrated.map_err(|source| StoreError::Open { path: path.into(), source })
}

/// The schema of the file; an error if a newer program wrote it.
fn found(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    match version.map_err(|source| StoreError::Open { path: path.into(), source })? {
        found @ ..=VERSION => Ok(found),
        newer => Err(StoreError::Newer { path: path.into(), found: newer, known: VERSION }),
    }
}

/// What a file of this schema does not have.
fn additions(schema: i64) -> impl Iterator<Item = &'static Addition> {
    ADDITIONS.iter().filter(move |addition| addition.schema > schema)
}

/// Views of a file of this schema.
fn views(schema: i64) -> String {
    let views: String = additions(schema).map(|addition| addition.views).collect();
    let next_hour = "CAST(strftime('%s') AS INTEGER) / 3600 + 1";
    let notes = additions(schema).map(|addition| format!("SELECT '{}', {next_hour}", addition.since));
    let notes: Vec<_> = ["SELECT key, value FROM main.note".to_owned()].into_iter().chain(notes).collect();
    format!("{views} CREATE TEMP VIEW note AS {}", notes.join(" UNION ALL "))
}

/// Adds what came after this schema.
fn add_since(connection: &mut Connection, schema: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for addition in additions(schema) {
        transaction.execute_batch(addition.columns)?;
        set_note(&transaction, addition.since, Hour::of(SystemTime::now()).0 + 1)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(NAMES)?;
    for table in &TABLES {
        transaction.execute_batch(&table.create())?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
