//! Reports of what was used, by function, version or hour, as a table, JSON or CSV.

mod form;
mod notes;
mod query;
mod since;
mod sums;
mod table;

use nebula_api::usage::{Machine, Outcomes, Row, SourceEnergy};
use thiserror::Error;

pub use form::ReportFormat;
pub use nebula_api::usage::{By, Report};
pub use query::report_of;
pub use since::Since;
pub(super) use since::{DAY, time_span};

use super::StoreError;

/// Most rows of a report. Further ones are in one row together, so that the sums are complete.
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write the report")]
    Write(#[source] std::io::Error),
}

#[cfg(test)]
mod tests;
