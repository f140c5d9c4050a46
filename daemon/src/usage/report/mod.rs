//! What was used, by function, version or hour: made from the file, told as a table, as JSON or as CSV.

mod form;
mod notes;
mod query;
mod since;
mod sums;
mod table;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use form::Format;
pub use query::report_of;
pub use since::Since;

use super::StoreError;

/// Most rows of a report. What is beyond is in one row, so that the sums are right.
const ROWS_MAX: usize = 10_000;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be told in this form.
    #[error("cannot write the report")]
    Write(#[source] std::io::Error),
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A function with all its versions.
    Function,
    /// A version of a function.
    Version,
    /// An hour.
    Hour,
}

impl By {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Function, Self::Version, Self::Hour];

    /// The name used in options and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Version => "version",
            Self::Hour => "hour",
        }
    }
}

/// What was used from one moment to another. What is not known is `None`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The beginning of the first hour that is in it; `None` where that is everything that is known.
    pub since: Option<String>,
    /// When the last of it was stored.
    pub until: Option<String>,
    /// What rows are about.
    pub by: By,
    /// Which energy is shared, paid and turned into carbon: `active`, or `usage`, with a share of the base energy.
    pub policy: String,
    /// The currency of the costs.
    pub currency: Option<String>,
    /// Hours before this one are one sum by now.
    pub hours_kept_since: Option<String>,
    /// The functions with the most energy first; hours as they came.
    pub rows: Vec<Row>,
    /// All functions together.
    pub total: Row,
    /// The whole machine, by source.
    pub machine: Vec<Machine>,
    /// What should be known with these figures.
    pub notes: Vec<String>,
}

/// One line of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The function.
    pub function: Option<String>,
    /// Its version, where versions are told apart.
    pub version: Option<String>,
    /// The beginning of the hour, or which hours are in it together.
    pub hour: Option<String>,
    /// Where the energy was read, and how much of it where.
    pub sources: Vec<SourceEnergy>,
    /// Energy that calls caused, exact.
    pub active_microjoules: Option<u64>,
    /// Their share of the base energy, exact.
    pub base_microjoules: Option<u64>,
    /// Energy that calls caused.
    pub active_joules: Option<f64>,
    /// Their share of the base energy.
    pub base_joules: Option<f64>,
    /// What the policy counts of both.
    pub energy_joules: Option<f64>,
    /// The same in kilowatt hours.
    pub kwh: Option<f64>,
    /// Grams of CO2 equivalent of it.
    pub gco2e: Option<f64>,
    /// Which part of the energy these are known of, from 0 to 1.
    pub gco2e_covers: Option<f64>,
    /// What it costs.
    pub cost: Option<f64>,
    /// Which part of the energy that is known of, from 0 to 1.
    pub cost_covers: Option<f64>,
    /// Calls that ran.
    pub calls: u64,
    /// Those of them that failed: by an error, a trap, a timeout or their budget.
    pub errors: u64,
    /// Calls that ran while nothing was measured.
    pub unmeasured_calls: u64,
    /// All calls by how they ended; rejected ones did not run.
    pub outcomes: Outcomes,
    /// Energy of a call, as far as calls were measured.
    pub joules_per_call: Option<f64>,
    /// CPU time of the calls.
    pub cpu_seconds: Option<f64>,
    /// First calls since the function was loaded.
    pub cold_starts: u64,
    /// Which part of the machine's energy it is, from 0 to 1.
    pub share: Option<f64>,
}

/// Calls by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of the outcomes")]
pub struct Outcomes {
    pub ok: u64,
    pub error: u64,
    pub trap: u64,
    pub timeout: u64,
    pub over_budget: u64,
    pub cancelled: u64,
    pub rejected: u64,
}

/// The energy that was read at one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEnergy {
    /// Which.
    pub source: String,
    /// Energy that calls caused.
    pub active_microjoules: u64,
    /// Their share of the base energy.
    pub base_microjoules: u64,
}

/// What the zones of one source that may be added have used, and who was charged: the accounts add up to the total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of the accounts")]
pub struct Machine {
    /// Where it was read.
    pub source: String,
    /// Whether that is a measurement.
    pub measured: bool,
    pub total_microjoules: u64,
    pub function_microjoules: u64,
    pub runtime_microjoules: u64,
    pub host_microjoules: u64,
    pub base_microjoules: u64,
    pub gap_microjoules: u64,
}

#[cfg(test)]
mod tests;
