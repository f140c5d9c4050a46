//! Everything that was counted before, for counters to continue from.

use std::time::Duration;

use rusqlite::{Connection, Row};

use super::super::pending::GRAMS;
use super::Store;
use super::error::StoreError;
use super::rows::{ENERGY, each, energy_at, microjoules, whole};
use crate::telemetry::Stored;

impl Store {
    /// The sums over all hours.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn stored(&self) -> Result<Stored, StoreError> {
        read(&self.connection).map_err(StoreError::Read)
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Stored> {
    let mut stored = Stored::default();
    let functions = format!(
        "SELECT f.name, z.zone, z.source, {ENERGY} FROM function_energy t \
         JOIN function f ON f.id = t.function JOIN zone z ON z.id = t.zone GROUP BY 1, 2, 3"
    );
    each(connection, &functions, [], |row| {
        let energy = energy_at(row, 3)?;
        stored.functions.insert(names(row)?, energy);
        let account = stored.accounts.entry(["function".into(), row.get(1)?, row.get(2)?]).or_default();
        *account += energy.charged();
        Ok(())
    })?;
    let zones = "SELECT z.zone, z.package, z.source, z.additive, SUM(e.total_uj), SUM(e.runtime_uj), SUM(e.host_uj), \
                 SUM(e.base_uj), SUM(e.gap_uj) FROM zone_energy e JOIN zone z ON z.id = e.zone GROUP BY e.zone";
    each(connection, zones, [], |row| {
        let total = microjoules(row, 4)?;
        if !row.get::<_, bool>(3)? {
            stored.observed.insert(names(row)?, total);
            return Ok(());
        }
        stored.zones.insert(names(row)?, total);
        for (place, account) in (5..).zip(["runtime", "host", "base", "gap"]) {
            let account = stored.accounts.entry([account.into(), row.get(0)?, row.get(2)?]).or_default();
            *account += microjoules(row, place)?;
        }
        Ok(())
    })?;
    let work = "SELECT f.name, SUM(w.ok), SUM(w.error), SUM(w.trap), SUM(w.timeout), SUM(w.over_budget), \
                SUM(w.cancelled), SUM(w.rejected), SUM(w.cold_starts), SUM(w.cpu_ns) FROM work w \
                JOIN function f ON f.id = w.function GROUP BY 1";
    each(connection, work, [], |row| {
        let name: Box<str> = row.get(0)?;
        let mut calls = [0; _];
        for (place, count) in (1..).zip(&mut calls) {
            *count = whole(row, place)?;
        }
        let (cold_starts, cpu) = (whole(row, 1 + calls.len())?, whole(row, 2 + calls.len())?);
        stored.calls.insert(name.clone(), calls);
        stored.cold_starts.insert(name.clone(), cold_starts);
        stored.cpu.insert(name, Duration::from_nanos(cpu));
        Ok(())
    })?;
    let grams = format!(
        "SELECT f.name, SUM(p.active), SUM(p.preparing), SUM(p.base) FROM footprint p JOIN function f ON f.id = p.function \
         WHERE p.unit = '{GRAMS}' GROUP BY 1"
    );
    each(connection, &grams, [], |row| {
        stored.grams.insert(row.get(0)?, [whole(row, 1)?, whole(row, 2)?, whole(row, 3)?]);
        Ok(())
    })?;
    Ok(stored)
}

fn names(row: &Row<'_>) -> rusqlite::Result<[Box<str>; 3]> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?])
}
