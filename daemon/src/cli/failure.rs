//! How a command fails.

use std::process::ExitCode;

/// Source: `sysexits.h`, `EX_USAGE`.
pub const EXIT_USAGE: u8 = 64;

/// Anything else that failed.
pub const EXIT_FAILURE: u8 = 1;

#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// `None` if the message has been printed already.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: EXIT_USAGE, error: Some(error.into()) }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: EXIT_FAILURE, error: Some(error.into()) }
    }
}

/// Of a command.
pub type Result = std::result::Result<ExitCode, Failure>;
