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
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

const HEADINGS: [&str; 21] = [
    "function",
    "version",
    "hour",
    "source",
    "active_joules",
    "preparing_joules",
    "base_joules",
    "energy_joules",
    "kwh",
    "gco2e",
    "gco2e_covers",
    "cost",
    "cost_covers",
    "currency",
    "calls",
    "errors",
    "unmeasured_calls",
    "joules_per_call",
    "cpu_seconds",
    "cold_starts",
    "share",
];

impl ReportFormat {
    /// The report in this form; a table is no wider than `width` if that is possible.
    ///
    /// # Errors
    /// If it cannot be serialized, which happens to no report.
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

fn csv(report: &Report) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(HEADINGS)?;
    for row in &report.rows {
        csv.write_record(record(report, row))?;
    }
    csv.write_record(record(report, &Row { function: Some(TOTAL.into()), ..report.total.clone() }))?;
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn record(report: &Report, row: &Row) -> [String; 21] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let currency = report.currency.clone().filter(|_| row.cost.is_some());
    [
        text(&row.function),
        text(&row.version),
        text(&row.hour),
        row.source(),
        number(row.active_joules),
        number(row.preparing_joules),
        number(row.base_joules),
        number(row.energy_joules),
        number(row.kwh),
        number(row.gco2e),
        number(row.gco2e_covers),
        number(row.cost),
        number(row.cost_covers),
        currency.unwrap_or_default(),
        row.calls.to_string(),
        row.errors.to_string(),
        row.unmeasured_calls.to_string(),
        number(row.joules_per_call),
        number(row.cpu_seconds),
        row.cold_starts.to_string(),
        number(row.share),
    ]
}
