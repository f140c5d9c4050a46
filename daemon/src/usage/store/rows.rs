//! Reads rows of sums.

use nebula_metering::{FunctionEnergy, Microjoules};
use rusqlite::{Connection, Params, Row};

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

/// The sums in the columns from `first` on. None is negative.
pub fn sums<const N: usize>(row: &Row<'_>, first: usize) -> rusqlite::Result<[u64; N]> {
    let mut sums = [0; N];
    for (column, sum) in (first..).zip(&mut sums) {
        *sum = row.get::<_, i64>(column)?.unsigned_abs();
    }
    Ok(sums)
}

/// The energy whose components are in the columns from `first` on.
pub fn energy(row: &Row<'_>, first: usize) -> rusqlite::Result<FunctionEnergy> {
    let [active, preparing, base] = sums(row, first)?.map(Microjoules);
    Ok(FunctionEnergy { active, preparing, base })
}
