//! The formats of a report.

use std::io;

use super::table::{TOTAL, table};
use super::{Report, ReportError, Row};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    Table,
    /// For programs; complete.
    Json,
    /// For spreadsheets; the last row is the total.
    Csv,
}

impl ReportFormat {
    pub const ALL: [Self; 3] = [Self::Table, Self::Json, Self::Csv];

    /// The name used in options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// The report in this form; a table is no wider than `width` if that is possible.
    pub fn write(self, report: &Report, width: Option<usize>) -> Result<Vec<u8>, ReportError> {
        match self {
            Self::Table => Ok(table(report, width).into_bytes()),
            Self::Json => {
                let mut json = serde_json::to_vec_pretty(report).map_err(|error| ReportError::Write(error.into()))?;
                json.push(b'\n');
                Ok(json)
            }
            Self::Csv => csv(report).map_err(ReportError::Write),
        }
    }
}

/// A column of the CSV: its heading, and the value of a row.
type Column = (&'static str, fn(&Report, &Row) -> String);

const COLUMNS: [Column; 22] = [
    ("function", |_, row| text(row.function.as_ref())),
    ("version", |_, row| text(row.version.as_ref())),
    ("hour", |_, row| text(row.hour.as_ref())),
    ("source", |_, row| row.source()),
    ("active_joules", |_, row| text(row.active_joules)),
    ("preparing_joules", |_, row| text(row.preparing_joules)),
    ("base_joules", |_, row| text(row.base_joules)),
    ("energy_joules", |_, row| text(row.energy_joules)),
    ("kwh", |_, row| text(row.kwh)),
    ("gco2e", |_, row| text(row.gco2e)),
    ("gco2e_covers", |_, row| text(row.gco2e_covers)),
    ("cost", |_, row| text(row.cost)),
    ("cost_covers", |_, row| text(row.cost_covers)),
    ("currency", |report, row| text(report.currency.as_ref().filter(|_| row.cost.is_some()))),
    ("calls", |_, row| row.calls.to_string()),
    ("errors", |_, row| row.errors.to_string()),
    ("unmeasured_calls", |_, row| row.unmeasured_calls.to_string()),
    ("joules_per_call", |_, row| text(row.joules_per_call)),
    ("cpu_seconds", |_, row| text(row.cpu_seconds)),
    ("cold_starts", |_, row| row.cold_starts.to_string()),
    ("share", |_, row| text(row.share)),
    ("active_joules_uncertainty", |_, row| text(row.active_joules_uncertainty)),
];

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn csv(report: &Report) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS.map(|(heading, _)| heading))?;
    let total = Row { function: Some(TOTAL.into()), ..report.total.clone() };
    for row in report.rows.iter().chain([&total]) {
        csv.write_record(COLUMNS.map(|(_, value)| value(report, row)))?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}
