//! Reads rows of sums.

use nebula_metering::{FunctionEnergy, Microjoules};
use rusqlite::{Connection, Params, Row};

/// The columns that [`energy_at`] reads, of the table `t`.
pub const ENERGY: &str = "SUM(t.active_uj), SUM(t.preparing_uj), SUM(t.base_uj)";

/// Calls `take` for each row.
pub fn each(
    connection: &Connection,
    select: &str,
    parameters: impl Params,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(select)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// A sum, which is never negative.
pub fn whole(row: &Row<'_>, place: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(place).map(i64::unsigned_abs)
}

pub fn microjoules(row: &Row<'_>, place: usize) -> rusqlite::Result<Microjoules> {
    whole(row, place).map(Microjoules)
}

/// The columns of [`ENERGY`], the first of which is at `first`.
pub fn energy_at(row: &Row<'_>, first: usize) -> rusqlite::Result<FunctionEnergy> {
    let energy = |place| microjoules(row, first + place);
    Ok(FunctionEnergy { active: energy(0)?, preparing: energy(1)?, base: energy(2)? })
}
