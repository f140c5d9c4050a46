//! What was used, by function, version or hour: made from the file, told as a table, as JSON or as CSV.

mod form;
mod notes;
mod query;
mod since;
mod sums;
mod table;

use nebula_api::usage::{Machine, Outcomes, Row, SourceEnergy};
use thiserror::Error;

pub use form::Format;
pub use nebula_api::usage::{By, Report};
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

#[cfg(test)]
mod tests;
