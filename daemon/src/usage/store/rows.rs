//! Reads rows of sums.

use nebula_metering::{FunctionEnergy, Joules, Microjoules, Uncertainty};
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

/// The uncertainty whose parts are in the columns from `first` on; `None` if one of them is not known.
pub fn uncertainty(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Uncertainty>> {
    let (common, own, source): (Option<f64>, Option<f64>, Option<f64>) =
        (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?);
    let (Some(common), Some(own), Some(source)) = (common, own, source) else { return Ok(None) };
    Ok(Some(Uncertainty { common: Joules(common), own: Joules(own.sqrt()), source: Joules(source) }))
}

/// The energy whose components are in the columns from `first` on.
pub fn energy(row: &Row<'_>, first: usize) -> rusqlite::Result<FunctionEnergy> {
    let [active, preparing, base] = sums(row, first)?.map(Microjoules);
    Ok(FunctionEnergy { active, preparing, base })
}
