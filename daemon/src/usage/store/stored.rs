//! What earlier daemons counted: counters continue from it.

use std::time::Duration;

use nebula_metering::Microjoules;
use rusqlite::{Connection, Row};

use super::super::pending::GRAMS;
use super::Store;
use super::error::StoreError;
use super::rows::{each, energy, sums};
use super::schema::{FUNCTION_ENERGY, WORK, ZONE_ENERGY};
use crate::telemetry::Stored;

impl Store {
    /// The sums over all hours.
    pub fn stored(&self) -> Result<Stored, StoreError> {
        read(&self.connection).map_err(StoreError::Read)
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Stored> {
    let mut stored = Stored::default();
    let functions = format!(
        "SELECT f.name, z.zone, z.source, {} FROM function_energy t \
         JOIN function f ON f.id = t.function JOIN zone z ON z.id = t.zone GROUP BY 1, 2, 3",
        FUNCTION_ENERGY.totals()
    );
    each(connection, &functions, [], |row| {
        let energy = energy(row, 3)?;
        stored.functions.insert(names(row)?, energy);
        let account = stored.accounts.entry(["function".into(), row.get(1)?, row.get(2)?]).or_default();
        *account += energy.charged();
        Ok(())
    })?;
    let zones = format!(
        "SELECT z.zone, z.package, z.source, z.additive, {} FROM zone_energy t JOIN zone z ON z.id = t.zone GROUP BY t.zone",
        ZONE_ENERGY.totals()
    );
    each(connection, &zones, [], |row| {
        let [total, charged @ ..] = sums::<5>(row, 4)?.map(Microjoules);
        if !row.get::<_, bool>(3)? {
            stored.observed.insert(names(row)?, total);
            return Ok(());
        }
        stored.zones.insert(names(row)?, total);
        for (account, energy) in ["runtime", "host", "base", "gap"].into_iter().zip(charged) {
            *stored.accounts.entry([account.into(), row.get(0)?, row.get(2)?]).or_default() += energy;
        }
        Ok(())
    })?;
    let work = format!("SELECT f.name, {} FROM work t JOIN function f ON f.id = t.function GROUP BY 1", WORK.totals());
    each(connection, &work, [], |row| {
        let name: Box<str> = row.get(0)?;
        let [calls @ .., cold_starts, cpu] = sums::<9>(row, 1)?;
        stored.calls.insert(name.clone(), calls);
        stored.cold_starts.insert(name.clone(), cold_starts);
        stored.cpu.insert(name, Duration::from_nanos(cpu));
        Ok(())
    })?;
    let grams = "SELECT f.name, SUM(t.active), SUM(t.preparing), SUM(t.base) FROM footprint t \
                 JOIN function f ON f.id = t.function WHERE t.unit = ?1 GROUP BY 1";
    each(connection, grams, [GRAMS], |row| {
        stored.grams.insert(row.get(0)?, sums(row, 1)?);
        Ok(())
    })?;
    Ok(stored)
}

fn names(row: &Row<'_>) -> rusqlite::Result<[Box<str>; 3]> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?])
}
